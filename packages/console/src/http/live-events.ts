import type { ServerResponse } from 'node:http';
import type { Clock } from '@holdfast/session-manager';
import { beginEvents } from './reply.js';

/** How many pages are live at once. */
const MAX_VIEWERS = 100;
/** How often pages are told to read again at most, in milliseconds. */
const QUIET_MS = 1_000;
/** How often a page that nothing happens on hears from us, in milliseconds. Its ages grow meanwhile. */
const IDLE_MS = 10_000;
/** After how long a page asks anew, in milliseconds: whoever lost the right to look is then refused. */
const LIFE_MS = 300_000;
/** How much may wait for a browser that does not read, in bytes. */
const MAX_WAITING = 4_096;

/** Tells open pages that something changed. They read themselves again; nothing else is sent. */
export class LiveEvents {
	readonly #clock: Clock;
	readonly #viewers = new Set<ServerResponse>();
	#quietUntil = Number.NEGATIVE_INFINITY;
	#stop: (() => void) | undefined;
	#isDue = false;

	constructor(clock: Clock) {
		this.#clock = clock;
	}

	/** Serves a page until it is closed. Returns `false` where too many are open. */
	open(response: ServerResponse): boolean {
		if (this.#viewers.size >= MAX_VIEWERS) return false;
		beginEvents(response);
		response.write('retry: 2000\n\n');
		this.#viewers.add(response);
		const end = this.#clock.after(LIFE_MS, () => response.end());
		response.once('close', () => {
			end();
			this.#viewers.delete(response);
			if (this.#viewers.size === 0) this.#cancel();
		});
		this.#schedule();
		return true;
	}

	/** Something changed: pages are told now, or a second after they were told last. */
	changed(): void {
		if (this.#viewers.size === 0 || this.#isDue) return;
		const wait = this.#quietUntil - this.#clock.monotonic();
		this.#cancel();
		this.#isDue = true;
		this.#stop = this.#clock.after(Math.max(0, wait), () => this.#tell());
	}

	close(): void {
		this.#cancel();
		for (const viewer of this.#viewers) viewer.end();
	}

	#schedule(): void {
		this.#stop ??= this.#clock.after(IDLE_MS, () => this.#tell());
	}

	#cancel(): void {
		this.#stop?.();
		this.#stop = undefined;
		this.#isDue = false;
	}

	#tell(): void {
		this.#stop = undefined;
		this.#isDue = false;
		this.#quietUntil = this.#clock.monotonic() + QUIET_MS;
		for (const viewer of this.#viewers) {
			if (viewer.writableLength > MAX_WAITING) viewer.destroy();
			else viewer.write('event: changed\ndata:\n\n');
		}
		if (this.#viewers.size > 0) this.#schedule();
	}
}
