import { isSessionStream, type StreamController, StreamSessionManager } from '@holdfast/session-manager';

/** The least that a custom manager must do: the four verbs, on one node, with nothing kept. */
export class MapStreamSessionManager extends StreamSessionManager {
	readonly #controllers = new Map<string, StreamController>();
	readonly #encoder = new TextEncoder();

	override create(id: string, controller: StreamController): void {
		this.delete(id);
		this.#controllers.set(id, controller);
	}

	override delete(id: string): void {
		this.#controllers.get(id)?.close();
		this.#controllers.delete(id);
	}

	override has(id: string): boolean {
		return this.#controllers.has(id);
	}

	override send(ids: readonly string[] | undefined, data: string): void {
		const event = this.#encoder.encode(data);
		const named = ids ?? [...this.#controllers.keys()].filter(isSessionStream);
		for (const id of named) this.#controllers.get(id)?.enqueue(event);
	}
}
