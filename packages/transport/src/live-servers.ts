import { inBackground, type NodeSession } from './node-session.js';

/** Sessions that one look for something to free may pass over, so that it stays cheap when most are busy. */
const MAX_LOOKS = 64;

/** The sessions of a node that have a live server: a bounded number, of which the one that was used longest ago goes first. */
export class LiveServers implements Iterable<NodeSession> {
	readonly #max: number;
	readonly #free: (session: NodeSession) => Promise<unknown>;
	readonly #report: (error: Error) => void;
	/** The one that was used longest ago first. */
	readonly #sessions = new Set<NodeSession>();

	/** `free` frees the live server of a session. */
	constructor(max: number, free: (session: NodeSession) => Promise<unknown>, report: (error: Error) => void) {
		this.#max = max;
		this.#free = free;
		this.#report = report;
	}

	get size(): number {
		return this.#sessions.size;
	}

	[Symbol.iterator](): Iterator<NodeSession> {
		return this.#sessions.values();
	}

	add(session: NodeSession): void {
		this.#sessions.add(session);
		this.trim();
	}

	delete(session: NodeSession): void {
		this.#sessions.delete(session);
	}

	/** The session was used now. */
	touch(session: NodeSession): void {
		if (this.#sessions.delete(session)) this.#sessions.add(session);
	}

	/** Frees idle live servers until the bound holds. */
	trim(): void {
		let excess = this.#sessions.size - this.#max;
		let looks = MAX_LOOKS;
		for (const session of this.#sessions) {
			if (excess <= 0 || looks-- === 0) return;
			if (session.busy) {
				// What runs is in use; behind the idle ones it does not hide them from the next look.
				this.touch(session);
				continue;
			}
			excess--;
			inBackground(this.#free(session), this.#report);
		}
	}
}
