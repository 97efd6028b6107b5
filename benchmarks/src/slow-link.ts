import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** A proxy to a server on this machine that delays each byte by {@link delayMs}, in both directions. */
export class SlowLink implements AsyncDisposable {
	readonly port: number;
	/** May be changed while nothing is on its way. */
	delayMs: number;
	readonly #server: Server;
	readonly #sockets: Set<Socket>;

	private constructor(server: Server, sockets: Set<Socket>, delayMs: number) {
		this.#server = server;
		this.#sockets = sockets;
		this.delayMs = delayMs;
		this.port = (server.address() as AddressInfo).port;
	}

	static async open(to: number, delayMs: number): Promise<SlowLink> {
		const sockets = new Set<Socket>();
		let link: SlowLink | undefined;
		const server = createServer((near) => {
			const far = connect(to, '127.0.0.1');
			for (const [from, into] of [
				[near, far],
				[far, near],
			] as const) {
				sockets.add(from);
				from.setNoDelay();
				from.on('data', (chunk) => {
					const ms = link?.delayMs ?? delayMs;
					if (ms === 0) into.write(chunk);
					else setTimeout(() => into.write(chunk), ms);
				});
				from.on('error', () => {});
				from.on('close', () => {
					sockets.delete(from);
					into.destroy();
				});
			}
		});
		await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
		link = new SlowLink(server, sockets, delayMs);
		return link;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		for (const socket of this.#sockets) socket.destroy();
		await new Promise((resolve) => this.#server.close(resolve));
	}
}
