import type { SessionHost } from '@holdfast/transport/internal';

/** How long a node waits for the one that asked it, which may have died, in milliseconds. */
const HOLD_MS = 2_000;

/** A stream that may be closed in a moment. */
interface Hold {
	/** Resolves with whether the stream stays. */
	readonly stays: Promise<boolean>;
	readonly end: (stays: boolean) => void;
	readonly stopTimer: () => void;
}

/**
 * Brings all nodes to agree that the stream of a session is closed: each says whether it runs something for the session
 * and, where it does not, lets what comes wait until it is known whether the stream was closed.
 */
export class StreamHolds {
	readonly #host: Pick<SessionHost, 'bus' | 'context' | 'monitor' | 'sessions'>;
	/** By session id. */
	readonly #holds = new Map<string, Hold>();

	constructor(host: Pick<SessionHost, 'bus' | 'context' | 'monitor' | 'sessions'>) {
		this.#host = host;
		host.bus.on('stream-leaving', ({ sessionId }) => this.#hold(sessionId));
		host.bus.on('stream-left', ({ sessionId, left }) => this.#endHere(sessionId, left));
	}

	/** Resolves with whether the stream stays, where a node is about to close it; `undefined` where none is. */
	of(sessionId: string): Promise<boolean> | undefined {
		return this.#holds.get(sessionId)?.stays;
	}

	/** Asks all nodes, this one included, and lets what comes wait until {@link end}. Never rejects. */
	async agree(sessionId: string): Promise<boolean> {
		return this.#hold(sessionId) && (await this.#host.monitor.agreeAll({ type: 'stream-leaving', sessionId }));
	}

	/** Says on all nodes whether the stream was closed. */
	end(sessionId: string, left: boolean): void {
		this.#endHere(sessionId, left);
		this.#host.context.background(() => this.#host.bus.tellAll({ type: 'stream-left', sessionId, left }));
	}

	close(): void {
		for (const [sessionId] of this.#holds) this.#endHere(sessionId, false);
	}

	#hold(sessionId: string): boolean {
		if (this.#holds.has(sessionId)) return true;
		if (this.#host.sessions.get(sessionId)?.busy) return false;
		let end: (stays: boolean) => void = () => {};
		const stays = new Promise<boolean>((resolve) => {
			end = resolve;
		});
		const stopTimer = this.#host.context.clock.after(HOLD_MS, () => {
			end(true);
			this.#holds.delete(sessionId);
		});
		this.#holds.set(sessionId, { stays, end, stopTimer });
		return true;
	}

	/** What comes after the end of a stream learns it here, until the session is known to have ended. */
	#endHere(sessionId: string, left: boolean): void {
		const hold = this.#holds.get(sessionId);
		hold?.end(!left);
		if (left) return;
		hold?.stopTimer();
		this.#holds.delete(sessionId);
	}
}
