import type { NodeContext } from '../node/node-context.js';
import type { RequestId } from '../protocol/json-rpc.js';
import { orphanedStreamEvent } from '../protocol/orphaned-stream.js';
import { formatStreamName } from '../protocol/routed-ids.js';
import type { ClusterBus } from './cluster-bus.js';
import type { NodeMonitor } from './node-monitor.js';

/** Names request streams, and knows which node writes to each, so that a stream whose writer is gone is ended. */
export class RequestStreams {
	readonly #context: NodeContext;
	readonly #bus: ClusterBus;
	readonly #monitor: NodeMonitor;
	/** Ids of streams to which this node will still write. */
	readonly #writing = new Set<string>();
	#names = 0;

	constructor(context: NodeContext, bus: ClusterBus, monitor: NodeMonitor) {
		this.#context = context;
		this.#bus = bus;
		this.#monitor = monitor;
		bus.on('stream-resumed', ({ streamId, primed }) => this.#checkOwn(streamId, primed));
	}

	/**
	 * Returns a name for the stream of a request, unique among all nodes. `parseStreamName` reads node and
	 * `requestId` back from it.
	 */
	nextName(requestId: RequestId | undefined): string {
		return formatStreamName(this.#context.nodeId, this.#names++, requestId);
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
	 * Watches the writer of a request stream that a client resumed. Where node `nodeId` is gone, or no longer writes to
	 * the stream, the stream is ended with an error, so that the client does not wait for ever. Returns a function that
	 * stops the watch.
	 */
	watch(nodeId: string, streamId: string, primed: boolean): () => void {
		if (nodeId === this.#context.nodeId) {
			this.#checkOwn(streamId, primed);
			return () => {};
		}
		this.#context.background(() => this.#bus.tell(nodeId, { type: 'stream-resumed', streamId, primed }));
		return this.#monitor.watch(nodeId, () => this.#end(streamId, primed));
	}

	#checkOwn(streamId: string, primed: boolean): void {
		if (!this.#writing.has(streamId)) this.#end(streamId, primed);
	}

	#end(streamId: string, primed: boolean): void {
		this.#context.background(() => this.#context.streams.send([streamId], orphanedStreamEvent(streamId, primed)));
	}
}
