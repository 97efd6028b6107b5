import { Buffer } from 'node:buffer';
import type { Clock } from '@holdfast/session-manager';

/** How long a response may have to be sent again, in milliseconds. */
const KEEP_MS = 30_000;
/**
 * How many bytes a node keeps for that. Past it, the oldest responses are replaced by their errors, and those are
 * forgotten only where there is no response left to replace.
 */
const MAX_BYTES = 32 * 1024 * 1024;
/** How often one response is sent again before its client gets an error instead. */
const MAX_RESENDS = 2;

interface Sent {
	readonly sessionId: string;
	/** The event with its mark, by which the gate knows a copy; `undefined` once it is not kept any more. */
	event: string | undefined;
	/** An error with the same mark. */
	readonly lost: string;
	/** On the monotonic clock. */
	readonly expiresAt: number;
	resends: number;
}

/**
 * The responses that this node sent lately. HTTP+SSE cannot resume: when the node that holds a stream tells that events
 * for it may be lost, they are sent again, and its gate drops those that it has seen.
 */
export class SentResponses {
	readonly #clock: Clock;
	/** In order of time, as are the others. */
	readonly #all = new Set<Sent>();
	/** Those whose event is kept. */
	readonly #whole = new Set<Sent>();
	readonly #bySession = new Map<string, Set<Sent>>();
	#bytes = 0;
	#stop: (() => void) | undefined;

	constructor(clock: Clock) {
		this.#clock = clock;
	}

	/** Keeps the `event` of a response; `lost` is what its client gets where it is not kept long enough. */
	add(sessionId: string, event: string, lost: string): void {
		const sent = { sessionId, event, lost, expiresAt: this.#clock.monotonic() + KEEP_MS, resends: 0 };
		this.#all.add(sent);
		this.#whole.add(sent);
		const ofSession = this.#bySession.get(sessionId);
		if (ofSession === undefined) this.#bySession.set(sessionId, new Set([sent]));
		else ofSession.add(sent);
		this.#bytes += Buffer.byteLength(event) + Buffer.byteLength(lost);
		for (const old of this.#whole) {
			if (this.#bytes <= MAX_BYTES) break;
			this.#drop(old);
		}
		for (const old of this.#all) {
			if (this.#bytes <= MAX_BYTES) break;
			this.#forget(old);
		}
		this.#expireLater();
	}

	/** Sends the responses of a session again with `send`. Returns how many there were. */
	resend(sessionId: string, send: (event: string) => void): number {
		const ofSession = this.#bySession.get(sessionId);
		if (ofSession === undefined) return 0;
		for (const sent of ofSession) {
			if (++sent.resends > MAX_RESENDS) this.#drop(sent);
			send(sent.event ?? sent.lost);
		}
		return ofSession.size;
	}

	close(): void {
		this.#stop?.();
		for (const sent of this.#all) this.#forget(sent);
	}

	#drop(sent: Sent): void {
		if (sent.event === undefined) return;
		this.#bytes -= Buffer.byteLength(sent.event);
		sent.event = undefined;
		this.#whole.delete(sent);
	}

	#forget(sent: Sent): void {
		this.#drop(sent);
		this.#bytes -= Buffer.byteLength(sent.lost);
		this.#all.delete(sent);
		const ofSession = this.#bySession.get(sent.sessionId);
		ofSession?.delete(sent);
		if (ofSession?.size === 0) this.#bySession.delete(sent.sessionId);
	}

	#expireLater(): void {
		const [next] = this.#all;
		if (next === undefined) return;
		this.#stop ??= this.#clock.after(next.expiresAt - this.#clock.monotonic(), () => {
			this.#stop = undefined;
			const now = this.#clock.monotonic();
			for (const sent of this.#all) {
				if (sent.expiresAt > now) break;
				this.#forget(sent);
			}
			this.#expireLater();
		});
	}
}
