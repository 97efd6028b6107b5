/** How many of the least recently used sessions are compared: uses may arrive slightly out of order. */
const COMPARED = 64;

/** What the order needs of a session. */
export interface OrderedSession {
	readonly id: string;
	/** Whom its session counts for. */
	readonly owner: string;
	/** Whether that is a verified principal. */
	readonly isVerified: boolean;
	/** When it was last used. */
	usedAt: number;
}

/** Says which session gives way to another, by the rules of `InfoSessionManager.endUnused`. Every step is cheap. */
export class UnusedOrder<T extends OrderedSession> {
	/** The sessions of each owner, least recently used first, as in the other sets. */
	readonly #owners = new Map<string, Set<T>>();
	/** The owners by how many sessions they have; `undefined` for numbers that none has. */
	readonly #sizes: (Set<string> | undefined)[] = [];
	/** The largest number of sessions that an owner has. */
	#most = 0;
	readonly #verified = new Set<T>();
	readonly #others = new Set<T>();

	/** How many sessions there are. */
	get size(): number {
		return this.#verified.size + this.#others.size;
	}

	/** Adds a session, or makes it the most recently used. */
	use(session: T): void {
		const { owner } = session;
		let owned = this.#owners.get(owner);
		if (owned === undefined) {
			owned = new Set();
			this.#owners.set(owner, owned);
		}
		const alike = this.#alike(session);
		if (alike.delete(session)) owned.delete(session);
		else this.#resize(owner, owned.size, owned.size + 1);
		owned.add(session);
		alike.add(session);
	}

	/** Removes a session, if it is there. */
	delete(session: T): void {
		if (!this.#alike(session).delete(session)) return;
		const { owner } = session;
		const owned = this.#owners.get(owner) ?? new Set();
		this.#resize(owner, owned.size, owned.size - 1);
		owned.delete(session);
		if (owned.size === 0) this.#owners.delete(owner);
	}

	/** Removes all sessions. */
	clear(): void {
		for (const sessions of [this.#owners, this.#verified, this.#others]) sessions.clear();
		this.#sizes.length = 0;
		this.#most = 0;
	}

	/** Returns the session that gives way first; `undefined` where there is none. */
	first(): T | undefined {
		if (this.#most > Math.max(1, this.size / 100)) {
			const owners = [...(this.#sizes[this.#most] ?? [])].map((owner) => this.#owners.get(owner) ?? new Set<T>());
			const oldest = owners.map((owned) => leastUsed(owned, COMPARED)).filter((session) => session !== undefined);
			return leastUsed(oldest.filter(({ isVerified }) => !isVerified)) ?? leastUsed(oldest);
		}
		return leastUsed(this.#others, COMPARED) ?? leastUsed(this.#verified, COMPARED);
	}

	#alike({ isVerified }: T): Set<T> {
		return isVerified ? this.#verified : this.#others;
	}

	/** An owner has `to` sessions, where it had `from`: one more, or one less. */
	#resize(owner: string, from: number, to: number): void {
		const before = this.#sizes[from];
		const after = this.#sizes[to];
		if (to > 0 && after !== undefined) after.add(owner);
		if (before?.size === 1) {
			// Mostly it is the only one with so many: its set goes with it.
			this.#sizes[from] = undefined;
			if (to > 0 && after === undefined) this.#sizes[to] = before;
		} else {
			before?.delete(owner);
			if (to > 0 && after === undefined) this.#sizes[to] = new Set([owner]);
		}
		if (to > this.#most) this.#most = to;
		else if (from === this.#most && this.#sizes[from] === undefined) this.#most = to;
	}
}

/** Returns the session that was unused longest, of the first `most`. */
export function leastUsed<T extends OrderedSession>(
	sessions: Iterable<T>,
	most = Number.POSITIVE_INFINITY,
): T | undefined {
	let least: T | undefined;
	let compared = 0;
	for (const session of sessions) {
		if (least === undefined || session.usedAt < least.usedAt) least = session;
		if (++compared >= most) break;
	}
	return least;
}
