import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** A proxy to a server on this machine that delays each byte by `delayMs`, in both directions. */
export class SlowLink implements AsyncDisposable {
	readonly port: number;
	readonly #server: Server;
	readonly #sockets: Set<Socket>;

	private constructor(server: Server, sockets: Set<Socket>) {
		this.#server = server;
		this.#sockets = sockets;
		this.port = (server.address() as AddressInfo).port;
	}

	static async open(to: number, delayMs: number): Promise<SlowLink> {
		const sockets = new Set<Socket>();
		const server = createServer((near) => {
			const far = connect(to, '127.0.0.1');
			for (const [from, into] of [
				[near, far],
				[far, near],
			] as const) {
				sockets.add(from);
				from.setNoDelay();
				from.on('data', (chunk) => setTimeout(() => into.write(chunk), delayMs));
				from.on('error', () => {});
				from.on('close', () => {
					sockets.delete(from);
					into.destroy();
				});
			}
		});
		await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
		return new SlowLink(server, sockets);
	}

	async [Symbol.asyncDispose](): Promise<void> {
		for (const socket of this.#sockets) socket.destroy();
		await new Promise((resolve) => this.#server.close(resolve));
	}
}
