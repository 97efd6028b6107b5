import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { Server as NetServer } from 'node:net';

/**
 * An HTTP server that is about to stop, in the steps that balancers need: idle connections are left to them, because a
 * request may be on its way on each of them.
 */
export class ClosingServer {
	readonly #server: Server;
	readonly #open = new Set<ServerResponse>();
	#connections = Number.POSITIVE_INFINITY;

	/** From now on, each response says that its connection will be closed, and closes it. */
	constructor(server: Server) {
		this.#server = server;
		server.prependListener('request', (_request: IncomingMessage, response: ServerResponse) => {
			response.shouldKeepAlive = false;
			this.#open.add(response);
			response.once('close', () => this.#open.delete(response));
		});
	}

	/** Whether a response to a request that came since the start is on its way. */
	get isResponding(): boolean {
		return this.#open.size > 0;
	}

	/** Whether no connection is left, as of the last time that this was asked. */
	get isEmpty(): boolean {
		this.#server.getConnections((_error, count) => {
			this.#connections = count;
		});
		return this.#connections === 0;
	}

	/** Accepts no more connections. Those that are open stay so, idle or not. */
	stopAccepting(): void {
		if (!this.#server.listening) return;
		// The method of HTTP servers also closes connections that are idle.
		if (this.#server instanceof NetServer) NetServer.prototype.close.call(this.#server);
		else (this.#server as Server).close();
	}

	/** Closes the connections on which nothing is being sent. */
	closeIdle(): void {
		this.#server.closeIdleConnections();
	}

	/** Closes every connection. */
	closeAll(): void {
		this.#server.closeAllConnections();
	}
}
