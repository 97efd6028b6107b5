import type { Writable } from 'node:stream';
// Taken here once: a test that replaces the timers of its process must not stop what goes to a store.
import { setImmediate } from 'node:timers';

/** What a connection is written to. */
export type Corkable = Pick<Writable, 'cork' | 'uncork'>;

/** How many commands are kept back at most: the store begins with them while this process still makes others. */
const MAX_KEPT = 64;
/** How many turns of the event loop commands are kept back at most while each brings others. */
const MAX_TURNS = 4;

/**
 * Lets the commands of one turn of the event loop leave together, and in a busy process those of a few turns: each
 * write to the system costs more than a command. They leave after a turn that brings none.
 */
export class TurnWrites {
	readonly #connections: () => readonly Corkable[];
	readonly #endTurn = () => this.#turnEnds();
	#kept: readonly Corkable[] = [];
	#count = 0;
	/** How many there were after the last turn, and how many turns are left. */
	#seen = 0;
	#turnsLeft = 0;

	/** `connections` returns what the next command may be written to. */
	constructor(connections: () => readonly Corkable[]) {
		this.#connections = connections;
	}

	/** Called before each command is written. */
	add(): void {
		if (this.#count === 0) {
			this.#keep();
			this.#seen = 0;
			this.#turnsLeft = MAX_TURNS;
			setImmediate(this.#endTurn);
		} else if (this.#count % MAX_KEPT === 0) {
			this.#release();
			this.#keep();
		}
		this.#count++;
	}

	#turnEnds(): void {
		if (this.#count > this.#seen && --this.#turnsLeft > 0) {
			this.#seen = this.#count;
			setImmediate(this.#endTurn);
			return;
		}
		this.#count = 0;
		this.#release();
	}

	#keep(): void {
		this.#kept = this.#connections();
		for (const connection of this.#kept) connection.cork();
	}

	#release(): void {
		const kept = this.#kept;
		this.#kept = [];
		for (const connection of kept) connection.uncork();
	}
}
