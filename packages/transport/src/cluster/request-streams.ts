import type { NodeContext } from '../node/node-context.js';
import type { RequestId } from '../protocol/json-rpc.js';
import { orphanedStreamEvent } from '../protocol/orphaned-stream.js';
import { formatStreamName } from '../protocol/routed-ids.js';
import type { ClusterBus } from './cluster-bus.js';
import type { NodeMonitor } from './node-monitor.js';

/** Knows who writes to which request stream, so that a stream to which nobody writes any more is ended. */
export class RequestStreams {
	readonly #context: NodeContext;
	readonly #bus: ClusterBus;
	readonly #monitor: NodeMonitor;
	/** Ids of streams that this node is still to write to. */
	readonly #writing = new Set<string>();
	#names = 0;

	constructor(context: NodeContext, bus: ClusterBus, monitor: NodeMonitor) {
		this.#context = context;
		this.#bus = bus;
		this.#monitor = monitor;
		bus.on('stream-resumed', ({ streamId, primed }) => this.#checkOwn(streamId, primed));
	}

	/** A name, unique among all nodes, for the stream of a request; `requestId` can be read back from it. */
	nextName(requestId: RequestId | undefined): string {
		return formatStreamName(this.#context.nodeId, this.#names++, requestId);
	}

	/** Notes that this node is still to write to stream `streamId`. Returns a function that ends that. */
	beginWriting(streamId: string): () => void {
		this.#writing.add(streamId);
		return () => this.#writing.delete(streamId);
	}

	/** Whether this node is still to write to stream `streamId`. */
	isWriting(streamId: string): boolean {
		return this.#writing.has(streamId);
	}

	/**
	 * A client came back to a request stream that node `nodeId` writes. If that node does not, or no longer, the stream is ended
	 * with an error: nobody waits for ever. Returns a function that stops watching.
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
