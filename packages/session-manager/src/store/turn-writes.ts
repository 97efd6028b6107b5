import type { Writable } from 'node:stream';
// Taken here once: a test that replaces the timers of its process must not stop what goes to a store.
import { setImmediate } from 'node:timers';

/** What a connection is written to. */
export type Corkable = Pick<Writable, 'cork' | 'uncork'>;

/** How many commands are kept back at most: the store begins with them while this process still makes others. */
const MAX_KEPT = 64;

/**
 * Lets the commands of one turn of the event loop leave together: each write to the system costs more than a command.
 */
export class TurnWrites {
	readonly #connections: () => readonly Corkable[];
	readonly #endTurn = () => this.#release();
	#kept: readonly Corkable[] = [];
	#count = 0;

	/** `connections` returns what the next command may be written to. */
	constructor(connections: () => readonly Corkable[]) {
		this.#connections = connections;
	}

	/** Called before each command is written. */
	add(): void {
		if (this.#count === 0) {
			this.#keep();
			setImmediate(this.#endTurn);
		} else if (this.#count % MAX_KEPT === 0) {
			for (const connection of this.#kept) connection.uncork();
			this.#keep();
		}
		this.#count++;
	}

	#keep(): void {
		this.#kept = this.#connections();
		for (const connection of this.#kept) connection.cork();
	}

	#release(): void {
		for (const connection of this.#kept) connection.uncork();
		this.#kept = [];
		this.#count = 0;
	}
}
