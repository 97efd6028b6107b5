import { isSessionStream, type StreamController, StreamSessionManager } from '@holdfast/session-manager/custom';

/** The four verbs and nothing else: streams of one process that cannot be resumed. */
export class MinimalStreamSessionManager extends StreamSessionManager {
	readonly #controllers = new Map<string, StreamController>();

	create(id: string, controller: StreamController): void {
		this.delete(id);
		this.#controllers.set(id, controller);
	}

	delete(id: string): void {
		const controller = this.#controllers.get(id);
		this.#controllers.delete(id);
		this.#try(id, () => controller?.close());
	}

	has(id: string): boolean {
		return this.#controllers.has(id);
	}

	send(ids: readonly string[] | undefined, data: string): void {
		const chunk = new TextEncoder().encode(data);
		for (const id of new Set(ids ?? [...this.#controllers.keys()].filter(isSessionStream))) {
			this.#try(id, () => this.#controllers.get(id)?.enqueue(chunk));
		}
	}

	/** A client that is gone makes its controller throw, and is nobody else's trouble. */
	#try(id: string, work: () => void): void {
		try {
			work();
		} catch (error) {
			this.#controllers.delete(id);
			this.onerror?.(error as Error);
		}
	}
}
