import {
	InMemoryStreamSessionManager,
	type MaybePromise,
	type StreamAttachment,
	type StreamController,
	type StreamCreateOptions,
	StreamSessionManager,
} from '@holdfast/session-manager';
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

/** Stream managers of one process. */
export function streamsOnly(make: (limits?: StreamLimits) => StreamSessionManager): ManagerFactory {
	return inMemory((limits) => ({ streams: make(limits) }), ['streams', 'history', 'limits', 'oneOrder']);
}
