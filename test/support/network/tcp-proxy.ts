import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** A TCP proxy on a port of 127.0.0.1 that fails as networks do, when it is told to. */
export class TcpProxy implements AsyncDisposable {
	readonly #server: Server;
	#target: number;
	/** Each connection: the client's end and the server's. */
	readonly #pairs = new Set<readonly [client: Socket, server: Socket]>();
	readonly #forgotten = new WeakSet<readonly [Socket, Socket]>();
	#stalled = false;
	#refusing = false;
	#forgetsAt: string | undefined;

	private constructor(target: number) {
		this.#target = target;
		this.#server = createServer((client) => this.#accept(client));
	}

	/** A proxy to port `target` of 127.0.0.1 that lets everything through. */
	static async to(target: number): Promise<TcpProxy> {
		const proxy = new TcpProxy(target);
		proxy.#server.listen(0, '127.0.0.1');
		await once(proxy.#server, 'listening');
		return proxy;
	}

	get port(): number {
		return (this.#server.address() as AddressInfo).port;
	}

	/** How many connections are open. */
	get connections(): number {
		return this.#pairs.size;
	}

	/**
	 * Carries nothing more in either direction, on old connections and new ones, and closes none: what a firewall does
	 * that forgot them. {@link flow} lets go on, with what was sent meanwhile.
	 */
	stall(): void {
		this.#stalled = true;
		for (const pair of this.#pairs) for (const socket of pair) socket.pause();
	}

	/** Carries nothing more on the connections that are open, and closes none. New ones are carried. */
	forget(): void {
		for (const pair of this.#pairs) {
			for (const socket of pair) socket.pause();
			this.#forgotten.add(pair);
		}
	}

	/** Carries nothing more on the first connection whose client says `text`, which is not carried either. */
	forgetAt(text: string): void {
		this.#forgetsAt = text;
	}

	/** Ends every connection abruptly. New ones are taken. */
	drop(): void {
		for (const pair of this.#pairs) for (const socket of pair) socket.resetAndDestroy();
	}

	/** Closes every connection, as a server does that stops. New ones are taken. */
	finish(): void {
		for (const pair of this.#pairs) for (const socket of pair) socket.destroy();
	}

	/** Ends every connection abruptly, and new ones as soon as they are made, until {@link flow}. */
	refuse(): void {
		this.#refusing = true;
		this.drop();
	}

	/** Lets everything through again. */
	flow(): void {
		this.#stalled = false;
		this.#refusing = false;
		for (const pair of this.#pairs) if (!this.#forgotten.has(pair)) for (const socket of pair) socket.resume();
	}

	/** Leads to another port from now on; connections that are open end abruptly. */
	retarget(target: number): void {
		this.#target = target;
		this.drop();
	}

	/** Ends the proxy and its connections. */
	async dispose(): Promise<void> {
		const closed = once(this.#server, 'close');
		this.#server.close();
		this.drop();
		await closed;
	}

	[Symbol.asyncDispose](): Promise<void> {
		return this.dispose();
	}

	#accept(client: Socket): void {
		if (this.#refusing) {
			client.on('error', () => {});
			client.resetAndDestroy();
			return;
		}
		const server = connect(this.#target, '127.0.0.1');
		const pair = [client, server] as const;
		this.#pairs.add(pair);
		for (const [from, to] of [
			[client, server],
			[server, client],
		] as const) {
			from.setNoDelay(true);
			from.on('data', (data) => {
				if (this.#forgetsAt !== undefined && from === client && data.includes(this.#forgetsAt)) {
					this.#forgetsAt = undefined;
					for (const socket of pair) socket.pause();
					this.#forgotten.add(pair);
				} else if (!this.#forgotten.has(pair)) to.write(data);
			});
			from.on('error', () => {});
			from.on('close', () => {
				this.#pairs.delete(pair);
				to.destroy();
			});
			if (this.#stalled) from.pause();
		}
	}
}
