import type { RequestId, SessionHost } from '@holdfast/transport/internal';
import type { CallMark } from './stream-mark.js';

/** Whether its node is still there is asked only of a call that runs for so long, in milliseconds. */
const WATCH_AFTER_MS = 1_000;

/** The calls of one client that one node runs. */
interface Running {
	readonly calls: Map<number, RequestId>;
	/** Calls that the client was told to be lost. */
	readonly lost: Set<number>;
	/** Calls the watch off. */
	stop: (() => void) | undefined;
}

/** The calls of one client that run on nodes other than the one that holds its stream: they are lost where such a node dies. */
export class RemoteCalls {
	readonly #host: Pick<SessionHost, 'context' | 'monitor' | 'requestStreams'>;
	readonly #sessionId: string;
	readonly #onlost: (id: RequestId) => void;
	/** By writer. */
	readonly #running = new Map<string, Running>();
	#count = 0;
	/** Tells this node, which may have been asked to leave, that no answer is awaited any more. */
	#written: (() => void) | undefined;

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

	begin({ writer, call, nodeId, id }: CallMark): void {
		const { context, monitor } = this.#host;
		const running = this.#running.get(writer) ?? { calls: new Map(), lost: new Set(), stop: undefined };
		this.#running.set(writer, running);
		running.calls.set(call, id);
		this.#counted(1);
		running.stop ??= context.clock.after(WATCH_AFTER_MS, () => {
			running.stop = monitor.watch(nodeId, () => this.#lose(running));
		});
	}

	/** A call is over; `false` where it counts as lost. */
	end(writer: string, call: number): boolean {
		const running = this.#running.get(writer);
		if (running === undefined) return true;
		if (running.lost.has(call)) return false;
		if (running.calls.delete(call)) this.#counted(-1);
		if (running.calls.size === 0) {
			this.#stop(running);
			if (running.lost.size === 0) this.#running.delete(writer);
		}
		return true;
	}

	/** Nobody waits for any of them now. */
	close(): void {
		for (const running of this.#running.values()) this.#stop(running);
		this.#running.clear();
		this.#counted(-this.#count);
	}

	#lose(running: Running): void {
		running.stop = undefined;
		for (const [call, id] of running.calls) {
			running.lost.add(call);
			this.#onlost(id);
		}
		this.#counted(-running.calls.size);
		running.calls.clear();
	}

	#counted(more: number): void {
		this.#count += more;
		if (this.#count > 0) this.#written ??= this.#host.requestStreams.beginWriting(this.#sessionId);
		else {
			this.#written?.();
			this.#written = undefined;
		}
	}

	#stop(running: Running): void {
		running.stop?.();
		running.stop = undefined;
	}
}
