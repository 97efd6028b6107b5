import type { RequestId, SessionHost } from '@holdfast/transport/internal';
import type { CallMark } from './stream-mark.js';

/** How long a call must run before its node is watched, in milliseconds. */
const WATCH_AFTER_MS = 1_000;

/** The calls of one session that one other node runs. */
interface Running {
	readonly calls: Map<number, RequestId>;
	/** Calls that the client was told are lost. */
	readonly lost: Set<number>;
	/** Stops the watch, or the timer before it. */
	stop: (() => void) | undefined;
}

/**
 * The calls of one session that run on nodes other than the one that holds its stream. They are lost when their node
 * dies.
 */
export class RemoteCalls {
	readonly #host: Pick<SessionHost, 'context' | 'monitor' | 'requestStreams'>;
	readonly #sessionId: string;
	readonly #onlost: (id: RequestId) => void;
	/** By writer (see stream-mark.ts). */
	readonly #running = new Map<string, Running>();
	#count = 0;
	/**
	 * Set while calls run: tells `RequestStreams` that this node no longer writes to the stream, for which draining
	 * waits.
	 */
	#endWriting: (() => void) | undefined;

	/** `onlost` is called once for each call whose node died while it ran. */
	constructor(
		host: Pick<SessionHost, 'context' | 'monitor' | 'requestStreams'>,
		sessionId: string,
		onlost: (id: RequestId) => void,
	) {
		this.#host = host;
		this.#sessionId = sessionId;
		this.#onlost = onlost;
	}

	/** Records a call that begins to run on another node. */
	begin({ writer, call, nodeId, id }: CallMark): void {
		const { context, monitor } = this.#host;
		const running = this.#running.get(writer) ?? { calls: new Map(), lost: new Set(), stop: undefined };
		this.#running.set(writer, running);
		running.calls.set(call, id);
		this.#addToCount(1);
		running.stop ??= context.clock.after(WATCH_AFTER_MS, () => {
			running.stop = monitor.watch(nodeId, () => this.#lose(running));
		});
	}

	/** Records the end of a call. Returns `false` where the client was already told that the call is lost. */
	end(writer: string, call: number): boolean {
		const running = this.#running.get(writer);
		if (running === undefined) return true;
		if (running.lost.has(call)) return false;
		if (running.calls.delete(call)) this.#addToCount(-1);
		if (running.calls.size === 0) {
			this.#stop(running);
			if (running.lost.size === 0) this.#running.delete(writer);
		}
		return true;
	}

	/** Forgets all calls: the stream has ended. */
	close(): void {
		for (const running of this.#running.values()) this.#stop(running);
		this.#running.clear();
		this.#addToCount(-this.#count);
	}

	#lose(running: Running): void {
		running.stop = undefined;
		for (const [call, id] of running.calls) {
			running.lost.add(call);
			this.#onlost(id);
		}
		this.#addToCount(-running.calls.size);
		running.calls.clear();
	}

	#addToCount(more: number): void {
		this.#count += more;
		if (this.#count > 0) this.#endWriting ??= this.#host.requestStreams.beginWriting(this.#sessionId);
		else {
			this.#endWriting?.();
			this.#endWriting = undefined;
		}
	}

	#stop(running: Running): void {
		running.stop?.();
		running.stop = undefined;
	}
}
