import { Buffer } from 'node:buffer';
import { bound, type SqliteConnection } from './file/connection.js';
import { eventStatements, worldStatements } from './statements/bus.js';

/** The row of the world. */
export interface World {
	readonly epoch: string;
	/** The newest event when the epoch began. */
	readonly epochSince: number;
	/** What is added to the host's time. */
	readonly shift: number;
	/** The newest id of an event. */
	readonly last: number;
	/** The newest event that was removed although a process may not have read it. */
	readonly purged: number;
}

/** What a message says; numbers as in the table of events. */
export const MESSAGE = Object.freeze({ event: 0, taken: 1, over: 2 });
/** The target of what every process must read. */
export const EVERY_PROCESS = 0;

/** A message as it is stored. */
export interface Posted {
	readonly id: number;
	/** The process that must read it, or {@link EVERY_PROCESS}; `undefined`: none. */
	readonly target: number | undefined;
	readonly kind: number;
	readonly channel: string;
	readonly data: string;
}

/** Reads the world. */
export function readWorld(db: SqliteConnection): World {
	const row = db.get(worldStatements.read);
	if (row === undefined) throw new Error('The file has lost its first row.');
	const { epoch, epoch_since, shift, last, purged } = row;
	return {
		epoch: String(epoch),
		epochSince: Number(epoch_since),
		shift: Number(shift),
		last: Number(last),
		purged: Number(purged),
	};
}

/** One transaction. Everything in it is written, or nothing is. */
export class Transaction {
	readonly db: SqliteConnection;
	/** The world as it was when the transaction began. */
	readonly world: World;
	/** The time of the store's clock, in milliseconds. */
	readonly now: number;
	/** What was posted in it, oldest first. */
	readonly posted: Posted[] = [];
	/** This process, if it has read everything before: then what is for it alone need not be stored. */
	direct: number | undefined;
	/** The newest id of an event, so far. */
	last: number;
	/** The newest event that was removed although a process may not have read it, so far. */
	purged: number;

	constructor(db: SqliteConnection, world: World, now: number) {
		this.db = db;
		this.world = world;
		this.now = now;
		this.last = world.last;
		this.purged = world.purged;
	}

	/** Notes that an event was removed which its target may not have read. */
	purge(id: number): void {
		this.purged = Math.max(this.purged, id);
	}

	/** Returns a number of which no event has a greater one yet, nor the same one ever. */
	next(): number {
		return ++this.last;
	}

	/** Posts a message and returns its id. In `log` it is kept as history; otherwise until its target has read it. */
	post(target: number | undefined, kind: number, channel: string, data: string, log?: number): number {
		const id = this.next();
		this.posted.push({ id, target, kind, channel, data });
		if (log !== undefined || (target !== undefined && target !== this.direct)) {
			const size = Buffer.byteLength(data);
			const { db, now } = this;
			db.run(eventStatements.insert, id, target ?? null, kind, log ?? null, now, bound(channel), size, bound(data));
		}
		return id;
	}
}
