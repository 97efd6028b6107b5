import { type SessionRecord, type StreamController, statusOf } from '@holdfast/session-manager';
import { takeMark } from './answer-mark.js';
import { SeenAnswers } from './seen-answers.js';

/**
 * The controller of a session's stream in front of its connection. It lets each answer through once, and nothing but answers
 * until the one to `initialize` has passed: broadcasts before that are not for the client (2024-11-05, Lifecycle,
 * Initialization).
 */
export class ClientController implements StreamController {
	readonly #connection: StreamController;
	readonly #record: () => SessionRecord;
	readonly #seen = new SeenAnswers();
	#isOpen = false;

	/** `record` is what this node knows of the session now. */
	constructor(connection: StreamController, record: () => SessionRecord) {
		this.#connection = connection;
		this.#record = record;
	}

	get desiredSize(): number | null {
		return this.#connection.desiredSize;
	}

	enqueue(chunk: Uint8Array): void {
		const answer = takeMark(chunk);
		// The answer to `initialize` may be here before the news from the node that gave it.
		this.#isOpen ||= answer?.mark.opens || statusOf(this.#record()) !== 'opening';
		if (answer === undefined) {
			if (this.#isOpen) this.#connection.enqueue(chunk);
		} else if (this.#seen.add(answer.mark)) this.#connection.enqueue(answer.event);
	}

	close(): void {
		this.#connection.close();
	}

	error(reason?: unknown): void {
		if (this.#connection.error === undefined) this.#connection.close();
		else this.#connection.error(reason);
	}
}
