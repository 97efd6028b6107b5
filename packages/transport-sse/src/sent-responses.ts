import { Buffer } from 'node:buffer';
import type { Clock } from '@holdfast/session-manager';

/** How long a response may have to be sent again, in milliseconds. */
const KEEP_MS = 30_000;
/** How many bytes of responses a node keeps for that. Past it, the oldest ones are replaced by an error. */
const MAX_BYTES = 32 * 1024 * 1024;
/** How often one response is sent again before its client gets an error instead. */
const MAX_RESENDS = 2;

interface Sent {
	readonly sessionId: string;
	/** The event with its mark, by which the gate knows a copy; `undefined` once it is not kept any more. */
	event: string | undefined;
	readonly bytes: number;
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
	/** In order of time. */
	readonly #sent: Sent[] = [];
	#bytes = 0;
	#stop: (() => void) | undefined;

	constructor(clock: Clock) {
		this.#clock = clock;
	}

	/** Keeps the `event` of a response; `lost` is what its client gets where it is not kept long enough. */
	add(sessionId: string, event: string, lost: string): void {
		const bytes = Buffer.byteLength(event);
		const expiresAt = this.#clock.monotonic() + KEEP_MS;
		this.#sent.push({ sessionId, event, bytes, lost, expiresAt, resends: 0 });
		this.#bytes += bytes;
		for (const old of this.#sent) {
			if (this.#bytes <= MAX_BYTES) break;
			this.#drop(old);
		}
		this.#expireLater();
	}

	/** Sends the responses of a session again with `send`. */
	resend(sessionId: string, send: (event: string) => void): void {
		for (const sent of this.#sent) {
			if (sent.sessionId !== sessionId) continue;
			if (++sent.resends > MAX_RESENDS) this.#drop(sent);
			send(sent.event ?? sent.lost);
		}
	}

	close(): void {
		this.#stop?.();
		this.#sent.length = 0;
	}

	#drop(sent: Sent): void {
		if (sent.event === undefined) return;
		this.#bytes -= sent.bytes;
		sent.event = undefined;
	}

	#expireLater(): void {
		const [next] = this.#sent;
		if (next === undefined) return;
		this.#stop ??= this.#clock.after(next.expiresAt - this.#clock.monotonic(), () => {
			this.#stop = undefined;
			const now = this.#clock.monotonic();
			const kept = this.#sent.findIndex(({ expiresAt }) => expiresAt > now);
			for (const sent of this.#sent.splice(0, kept === -1 ? this.#sent.length : kept)) this.#drop(sent);
			this.#expireLater();
		});
	}
}
