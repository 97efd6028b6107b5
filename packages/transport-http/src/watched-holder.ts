import type { BoundedController } from '@holdfast/session-manager/custom';
import type { Connection, LocalSession, Observation, SessionHost } from '@holdfast/transport/internal';

/** The connection of a session stream, on a node that is watched: tells when another one takes the stream from it. */
export class WatchedHolder implements BoundedController {
	readonly #host: SessionHost;
	readonly #session: LocalSession;
	readonly #connection: Connection;
	readonly #observation: Observation;

	constructor(host: SessionHost, session: LocalSession, connection: Connection, observation: Observation) {
		this.#host = host;
		this.#session = session;
		this.#connection = connection;
		this.#observation = observation;
	}

	get desiredSize(): number | null {
		return this.#connection.desiredSize;
	}

	enqueue(chunk: Uint8Array): void {
		this.#connection.enqueue(chunk);
	}

	enqueueText(text: string, bytes: number): void {
		this.#connection.enqueueText(text, bytes);
	}

	error(reason?: unknown): void {
		this.#connection.error(reason);
	}

	/** Called by the manager: where the stream has a holder after that, it is another one. */
	close(): void {
		const { context } = this.#host;
		const wasOpen = this.#connection.open;
		this.#connection.close();
		if (!wasOpen || this.#session.ended || context.closed) return;
		context.background(async () => {
			// The new holder is known to the manager once this call of it is over.
			await Promise.resolve();
			if ((await context.streams.has(this.#session.id)) && !this.#session.ended)
				this.#observation.emit({ type: 'takeover', sessionId: this.#session.id });
		});
	}
}
