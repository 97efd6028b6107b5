import { SessionManagerError } from '@holdfast/session-manager';
import type { NodeContext } from '../node/node-context.js';
import type { RequestId } from '../protocol/json-rpc.js';
import { orphanedStreamEvent } from '../protocol/orphaned-stream.js';
import { formatStreamName } from '../protocol/routed-ids.js';
import type { ClusterBus } from './cluster-bus.js';
import type { NodeMonitor } from './node-monitor.js';
import { retrySend } from './retry-send.js';

/** How often the writers of streams that were resumed here are asked, in milliseconds. */
const ASK_MS = 3_000;
/** How long a writer may take to reply before it is asked again, in milliseconds. */
const REPLY_MS = 2_000;

/** A client that waits at a request stream here. */
interface Waiting {
	readonly primed: boolean;
}

/** Streams of one writer at which clients wait here. */
interface Watched {
	/** By stream id. */
	readonly streams: Map<string, Waiting>;
	/** Stops looking for the writer. */
	readonly stop: () => void;
}

/**
 * Knows who writes to which request stream, so that a stream to which nobody writes any more is ended with an error:
 * its writer
 * is gone or hung, or has ended it and the end was lost.
 */
export class RequestStreams {
	readonly #context: NodeContext;
	readonly #bus: ClusterBus;
	readonly #monitor: NodeMonitor;
	/** Ids of streams to which this node will still write. */
	readonly #writing = new Set<string>();
	/** By writer, streams that were resumed here. */
	readonly #watched = new Map<string, Watched>();
	#names = 0;
	#stopAsking: (() => void) | undefined;

	constructor(context: NodeContext, bus: ClusterBus, monitor: NodeMonitor) {
		this.#context = context;
		this.#bus = bus;
		this.#monitor = monitor;
		bus.on('streams-watched', ({ streamIds }) => streamIds.filter((streamId) => !this.#writing.has(streamId)));
	}

	/**
	 * Returns a name for the stream of a request of a session, unique among all nodes. `parseStreamName` reads node and
	 * `requestId` back from it.
	 */
	nextName(sessionId: string, requestId: RequestId | undefined): string {
		return formatStreamName(sessionId, this.#context.nodeId, this.#names++, requestId);
	}

	/** Records that this node will still write to stream `streamId`. Returns a function that ends that. */
	beginWriting(streamId: string): () => void {
		this.#writing.add(streamId);
		return () => this.#writing.delete(streamId);
	}

	/** Returns whether this node will still write to stream `streamId`. */
	isWriting(streamId: string): boolean {
		return this.#writing.has(streamId);
	}

	/**
	 * Returns whether nobody writes to a request stream any more. Throws where its writer is there and does not reply.
	 */
	async isOrphaned(nodeId: string, streamId: string): Promise<boolean> {
		if (nodeId === this.#context.nodeId) return !this.#writing.has(streamId);
		// Anybody can make up the name of a node.
		if (!this.#monitor.isHeard(nodeId) && !(await this.#bus.isListening(nodeId))) return true;
		const orphans = await this.#bus.ask(nodeId, { type: 'streams-watched', streamIds: [streamId] }, REPLY_MS);
		if (typeof orphans === 'object') return orphans.includes(streamId);
		if (await this.#monitor.isGone(nodeId)) return true;
		throw new SessionManagerError('unavailable', 'The node that writes to this stream cannot be reached; try again.');
	}

	/**
	 * Watches the writer of a request stream that a client resumed. Where node `nodeId` is gone, or no longer writes to
	 * the stream, the stream is ended with an error, so that the client does not wait for ever. Returns a function that
	 * stops the watch.
	 */
	watch(nodeId: string, streamId: string, primed: boolean): () => void {
		if (nodeId === this.#context.nodeId) {
			if (!this.#writing.has(streamId)) this.end(streamId, primed);
			return () => {};
		}
		const watched = this.#watched.get(nodeId) ?? this.#watchWriter(nodeId);
		const waiting = { primed };
		watched.streams.set(streamId, waiting);
		this.#context.background(() => this.#ask(nodeId, [streamId]));
		this.#askLater();
		return () => {
			// The client may have come back to this node before its older connection ended.
			if (watched.streams.get(streamId) === waiting) watched.streams.delete(streamId);
			if (watched.streams.size > 0) return;
			watched.stop();
			if (this.#watched.get(nodeId) === watched) this.#watched.delete(nodeId);
		};
	}

	/**
	 * Ends a stream with an error, as long as it is one of `watched`. What is sent after the end of a stream is dropped,
	 * so an end that was on its way is not followed by another.
	 */
	end(streamId: string, primed: boolean, watched?: ReadonlyMap<string, Waiting>): void {
		const event = orphanedStreamEvent(streamId, primed);
		const wanted = () => watched?.has(streamId) ?? true;
		this.#context.background(async () => {
			try {
				await this.#context.streams.send([streamId], event);
			} catch (error) {
				this.#context.report(error);
				await retrySend(this.#context, streamId, event, wanted);
			}
		});
	}

	close(): void {
		this.#stopAsking?.();
		this.#watched.clear();
	}

	#watchWriter(nodeId: string): Watched {
		const streams = new Map<string, Waiting>();
		const stop = this.#monitor.watch(nodeId, () => {
			this.#watched.delete(nodeId);
			for (const [streamId, { primed }] of streams) this.end(streamId, primed, streams);
		});
		const watched = { streams, stop };
		this.#watched.set(nodeId, watched);
		return watched;
	}

	#askLater(): void {
		this.#stopAsking ??= this.#context.clock.after(ASK_MS, () => {
			this.#stopAsking = undefined;
			for (const [nodeId, { streams }] of this.#watched)
				this.#context.background(() => this.#ask(nodeId, [...streams.keys()]));
			if (this.#watched.size > 0) this.#askLater();
		});
	}

	async #ask(nodeId: string, streamIds: readonly string[]): Promise<void> {
		const orphans = await this.#bus.ask(nodeId, { type: 'streams-watched', streamIds }, REPLY_MS);
		if (typeof orphans !== 'object') return;
		for (const streamId of orphans) {
			const streams = this.#watched.get(nodeId)?.streams;
			const waiting = streams?.get(streamId);
			if (waiting !== undefined) this.end(streamId, waiting.primed, streams);
		}
	}
}
