import type { Connection } from './connection.js';

/**
 * The connections of one session. Most sessions have that of their session stream alone, so that one needs no table.
 */
export class SessionConnections {
	readonly id: string;
	/** How many are not gone, open or not. */
	held = 0;
	/** How many of them have ended. */
	ended = 0;
	#sessionStream: Connection | undefined;
	/** Those of request streams, by stream id. */
	#requests: Map<string, Connection> | undefined;

	constructor(id: string) {
		this.id = id;
	}

	/** Whether one is open. */
	get isOpen(): boolean {
		return this.#sessionStream !== undefined || this.#requests !== undefined;
	}

	/** Returns those that are open, with their stream ids. */
	open(): (readonly [streamId: string, connection: Connection])[] {
		const requests = [...(this.#requests ?? [])];
		return this.#sessionStream === undefined ? requests : [[this.id, this.#sessionStream], ...requests];
	}

	/** Returns the open one of a stream. */
	get(streamId: string): Connection | undefined {
		return streamId === this.id ? this.#sessionStream : this.#requests?.get(streamId);
	}

	/** Makes `connection` the open one of a stream. */
	set(streamId: string, connection: Connection): void {
		if (streamId === this.id) this.#sessionStream = connection;
		else {
			this.#requests ??= new Map();
			this.#requests.set(streamId, connection);
		}
	}

	/** Removes a connection that is no longer open, unless another has taken its place. */
	delete(streamId: string, connection: Connection): void {
		if (this.get(streamId) !== connection) return;
		if (streamId === this.id) this.#sessionStream = undefined;
		else if (this.#requests?.delete(streamId) && this.#requests.size === 0) this.#requests = undefined;
	}
}
