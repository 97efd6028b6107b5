import type { Clock, StreamSessionManager } from '@holdfast/session-manager';
import { inBackground, type NodeSession } from './node-session.js';

/** When the streams of a session that ended are closed and forgotten, whatever is still on its way to them, in milliseconds. */
const FORGET_AFTER_MS = 500;

interface Ended {
	readonly id: string;
	/** What this node held of the session. */
	readonly session: NodeSession | undefined;
	readonly forgetStreams: boolean;
	readonly at: number;
}

/** Sessions that ended lately: their streams may still carry answers for a moment. One timer for all. */
export class EndedSessions {
	readonly #clock: Clock;
	readonly #streams: StreamSessionManager;
	readonly #report: (error: Error) => void;
	/** In order of time. */
	readonly #ended: Ended[] = [];
	#stop: (() => void) | undefined;
	#closed = false;

	constructor(clock: Clock, streams: StreamSessionManager, report: (error: Error) => void) {
		this.#clock = clock;
		this.#streams = streams;
		this.#report = report;
	}

	/** Closes what this node holds of a session in a moment; `forgetStreams`: and forgets its streams, on all nodes. */
	add(id: string, session: NodeSession | undefined, forgetStreams: boolean): void {
		this.#ended.push({ id, session, forgetStreams, at: this.#clock.now() + FORGET_AFTER_MS });
		this.#forgetLater();
	}

	close(): void {
		this.#closed = true;
		this.#stop?.();
	}

	#forgetLater(): void {
		const [next] = this.#ended;
		if (next === undefined || this.#closed) return;
		this.#stop ??= this.#clock.after(next.at - this.#clock.now(), () => {
			this.#stop = undefined;
			const now = this.#clock.now();
			const due = this.#ended.findIndex(({ at }) => at > now);
			for (const { id, session, forgetStreams } of this.#ended.splice(0, due === -1 ? this.#ended.length : due)) {
				session?.closeConnections();
				if (forgetStreams) inBackground(this.#streams.delete(id), this.#report);
			}
			this.#forgetLater();
		});
	}
}
