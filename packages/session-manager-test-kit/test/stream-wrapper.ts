import { InMemoryStreamSessionManager } from '@holdfast/session-manager';
import {
	type MaybePromise,
	type StreamAttachment,
	type StreamController,
	type StreamCreateOptions,
	StreamSessionManager,
} from '@holdfast/session-manager/custom';
import type { ManagerFactory, StreamLimits } from '@holdfast/session-manager-test-kit';
import { inMemory } from './in-memory-factory.ts';

/** A healthy manager, each of whose answers a mutant may spoil. */
export class StreamWrapper extends StreamSessionManager {
	protected readonly inner: InMemoryStreamSessionManager;

	constructor(limits?: StreamLimits) {
		super();
		this.inner = new InMemoryStreamSessionManager(limits);
	}

	override get resumable(): boolean {
		return true;
	}

	override position(): MaybePromise<string | undefined> {
		return this.inner.position();
	}

	/** How a stream id is spelled in the store. */
	protected idOf(id: string): string {
		return id;
	}

	create(id: string, controller: StreamController, options?: StreamCreateOptions): MaybePromise<StreamAttachment> {
		return this.inner.create(this.idOf(id), controller, options);
	}

	delete(id: string): MaybePromise<void> {
		return this.inner.delete(this.idOf(id));
	}

	has(id: string): MaybePromise<boolean> {
		return this.inner.has(this.idOf(id));
	}

	send(ids: readonly string[] | undefined, data: string): MaybePromise<void> {
		return this.inner.send(
			ids?.map((id) => this.idOf(id)),
			data,
		);
	}

	override close(): void {
		this.inner.close();
	}
}

/** `controller` with something done otherwise. */
export function altered(controller: StreamController, change: Partial<StreamController>): StreamController {
	return {
		enqueue: (chunk) => controller.enqueue(chunk),
		close: () => controller.close(),
		get desiredSize() {
			return controller.desiredSize;
		},
		...change,
	};
}

/** `controller` that is handed what `rewrite` makes of each event. */
export function rewritten(controller: StreamController, rewrite: (event: string) => string): StreamController {
	const enqueue = (chunk: Uint8Array) =>
		controller.enqueue(new TextEncoder().encode(rewrite(new TextDecoder().decode(chunk))));
	return altered(controller, { enqueue });
}

/** Stream managers of one process. */
export function streamsOnly(make: (limits?: StreamLimits) => StreamSessionManager): ManagerFactory {
	return inMemory((limits) => ({ streams: make(limits) }), ['streams', 'history', 'limits', 'oneOrder']);
}
