import type { SessionRecord, StreamController } from '@holdfast/session-manager';
import { statusOf } from '@holdfast/session-manager';
import { isCall, type JsonRpcMessage, readMessage } from '@holdfast/transport';

const decoder = new TextDecoder();
const dataLine = /^data: (.*)$/m;

/**
 * The controller of a session's stream, which begins before the client has said `initialize`: until the answer to that has
 * passed, broadcasts are not for it (2024-11-05, Lifecycle, Initialization).
 */
export class OpeningFilter implements StreamController {
	readonly #controller: StreamController;
	readonly #record: () => SessionRecord;
	#isOpen = false;

	/** `record` is what this node knows of the session now. */
	constructor(controller: StreamController, record: () => SessionRecord) {
		this.#controller = controller;
		this.#record = record;
	}

	get desiredSize(): number | null {
		return this.#controller.desiredSize;
	}

	enqueue(chunk: Uint8Array): void {
		if (this.#isOpen || this.#lets(chunk)) this.#controller.enqueue(chunk);
	}

	close(): void {
		this.#controller.close();
	}

	error(reason?: unknown): void {
		if (this.#controller.error === undefined) this.#controller.close();
		else this.#controller.error(reason);
	}

	#lets(chunk: Uint8Array): boolean {
		const message = messageOf(chunk);
		// The answer may be here before the news from the node that initialized the session.
		this.#isOpen = isInitializeResult(message) || statusOf(this.#record()) !== 'opening';
		return this.#isOpen || (message !== undefined && !isCall(message));
	}
}

function messageOf(chunk: Uint8Array): JsonRpcMessage | undefined {
	const data = dataLine.exec(decoder.decode(chunk))?.[1];
	if (data === undefined) return undefined;
	try {
		return readMessage(JSON.parse(data));
	} catch {
		return undefined;
	}
}

function isInitializeResult(message: JsonRpcMessage | undefined): boolean {
	return message !== undefined && 'result' in message && typeof message.result['protocolVersion'] === 'string';
}
