import type { Clock } from '@holdfast/session-manager';
import type { RequestId, SessionHost } from '@holdfast/transport';
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
	readonly #clock: Clock;
	readonly #nodes: SessionHost['nodes'];
	readonly #onlost: (id: RequestId) => void;
	/** By writer. */
	readonly #running = new Map<string, Running>();

	/** `onlost` is called once for each call whose node died while it ran. */
	constructor(host: Pick<SessionHost, 'clock' | 'nodes'>, onlost: (id: RequestId) => void) {
		this.#clock = host.clock;
		this.#nodes = host.nodes;
		this.#onlost = onlost;
	}

	begin({ writer, call, nodeId, id }: CallMark): void {
		const running = this.#running.get(writer) ?? { calls: new Map(), lost: new Set(), stop: undefined };
		this.#running.set(writer, running);
		running.calls.set(call, id);
		running.stop ??= this.#clock.after(WATCH_AFTER_MS, () => {
			running.stop = this.#nodes.watch(nodeId, () => this.#lose(running));
		});
	}

	/** A call is over; `false` where it counts as lost. */
	end(writer: string, call: number): boolean {
		const running = this.#running.get(writer);
		if (running === undefined) return true;
		if (running.lost.has(call)) return false;
		running.calls.delete(call);
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
	}

	#lose(running: Running): void {
		running.stop = undefined;
		for (const [call, id] of running.calls) {
			running.lost.add(call);
			this.#onlost(id);
		}
		running.calls.clear();
	}

	#stop(running: Running): void {
		running.stop?.();
		running.stop = undefined;
	}
}
