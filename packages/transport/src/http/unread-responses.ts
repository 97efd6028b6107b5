import type { ServerResponse } from 'node:http';

/** How long a client may read nothing of its response, in milliseconds. */
const STALLED_MS = 10_000;
/** How many bytes of responses may wait for their clients. Past it, those that wait longest are broken off. */
const MAX_BYTES = 256 * 1024 * 1024;

/**
 * The responses that have ended while their clients have bytes of them to read, because they are more than the network
 * takes at once. A client that reads nothing is broken off. Streams have limits of their own.
 */
export class UnreadResponses {
	readonly #stalledMs: number;
	readonly #maxBytes: number;
	/** How many bytes each had when it ended, oldest first. */
	readonly #waiting = new Map<ServerResponse, number>();
	#bytes = 0;

	constructor(stalledMs = STALLED_MS, maxBytes = MAX_BYTES) {
		this.#stalledMs = stalledMs;
		this.#maxBytes = maxBytes;
	}

	/** Watches a response that has ended, until nothing of it is left here. */
	watch(response: ServerResponse): void {
		const { socket, writableLength: bytes } = response;
		// Most have left. HTTP/2 does not tell, and one that waits behind another on its connection is not to blame.
		if (!(bytes > 0) || response.destroyed || socket === null) return;
		this.#waiting.set(response, bytes);
		this.#bytes += bytes;
		response.once('close', () => this.#forget(response));
		// Only Node.js knows whether a part of what it gave to the system in one piece was read. So it has the clock, too.
		const { timeout = 0 } = socket;
		response.setTimeout(this.#stalledMs, () => response.destroy());
		response.prependOnceListener('finish', () => socket.setTimeout(timeout));
		for (const old of this.#waiting.keys()) {
			if (this.#bytes <= this.#maxBytes || old === response) return;
			old.destroy();
			this.#forget(old);
		}
	}

	#forget(response: ServerResponse): void {
		this.#bytes -= this.#waiting.get(response) ?? 0;
		this.#waiting.delete(response);
	}
}
