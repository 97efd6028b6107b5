import type { Clock } from '../contract/clock.js';
import { isSessionStream } from '../contract/stream-id.js';
import { visitInTurns } from '../contract/visit-in-turns.js';
import { TOLD_AT_ONCE } from '../stream/sliced-appends.js';
import type { BrokerHolder } from './broker-holder.js';
import type { BrokerEvent } from './broker-position.js';
import type { LocalHolders } from './local-holders.js';

/** How many broadcasts may be under way at once. */
const MAX_BROADCASTS = 64;
/** Goes on as soon as the event loop has gone round. */
const nextTurn: Pick<Clock, 'after'> = {
	after(_delayMs, task) {
		const turn = setImmediate(task);
		return () => clearImmediate(turn);
	},
};

/** Gives broadcasts to the session streams of this node, to a part of them in each turn of the event loop. */
export class BroadcastTurns {
	readonly #holders: LocalHolders;
	/** Those that have not reached every stream of this node, oldest first. */
	#pending: BrokerEvent[] = [];

	constructor(holders: LocalHolders) {
		this.#holders = holders;
	}

	/** Whether some streams are still to be given a broadcast. */
	get busy(): boolean {
		return this.#pending.length > 0;
	}

	/** Begins with a broadcast, behind those before it. */
	add(event: BrokerEvent): void {
		this.#pending.push(event);
		if (this.#pending.length === 1) this.#give(event);
		else if (this.#pending.length > MAX_BROADCASTS) this.#giveAll();
	}

	/** What follows on a session stream of its own comes after the broadcasts before it. */
	catchUp(holders: readonly BrokerHolder[]): void {
		for (const event of this.#pending) for (const holder of holders) this.#holders.offer(holder, 'broadcasts', event);
	}

	/** Drops those that are under way. Whom they have not reached must read them from history. */
	clear(): void {
		this.#pending = [];
	}

	/** Gives a broadcast to a part of the streams in each turn, and then the next one. */
	#give(event: BrokerEvent): void {
		const visit = ([id, holders]: readonly [string, readonly BrokerHolder[]]) => {
			if (this.#pending[0] !== event || !isSessionStream(id)) return 1;
			for (const holder of holders) this.#holders.offer(holder, 'broadcasts', event);
			return holders.length;
		};
		visitInTurns(nextTurn, this.#holders.all, TOLD_AT_ONCE, visit, () => {
			if (this.#pending[0] !== event) return;
			this.#pending.shift();
			const [next] = this.#pending;
			if (next !== undefined) this.#give(next);
		});
	}

	/** While this goes on, nothing more is read from the broker. */
	#giveAll(): void {
		for (const [id, holders] of this.#holders.all) if (isSessionStream(id)) this.catchUp(holders);
		this.clear();
	}
}
