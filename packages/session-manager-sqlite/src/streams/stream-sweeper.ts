import { BROADCAST_CHANNEL, type HistoryLimits, systemClock } from '@holdfast/session-manager/custom';
import type { SqliteBus } from '../bus.js';
import { type Row, textOf } from '../file/connection.js';
import { eventStatements, processStatements } from '../statements/bus.js';
import { logStatements, streamStatements } from '../statements/streams.js';
import type { SqliteStore } from '../store.js';
import type { Transaction } from '../transaction.js';
import { wasGiven } from './attach.js';
import { forgottenAt, StreamLog, UNREAD_MS } from './stream-log.js';

/** How often it sweeps, in milliseconds. */
const SWEEP_MS = 1_000;
/** About how many rows one transaction sweeps, and of how many streams and logs. */
const ROWS_AT_ONCE = 1_000;
const STREAMS_AT_ONCE = 50;
const LOGS_AT_ONCE = 20;

/** Removes what is over: messages that were read, processes that died, history that is too old. */
export class StreamSweeper {
	readonly #store: SqliteStore;
	readonly #bus: SqliteBus;
	readonly #limits: HistoryLimits;
	#stop: (() => void) | undefined;
	#closed = false;

	constructor(store: SqliteStore, bus: SqliteBus, limits: HistoryLimits) {
		this.#store = store;
		this.#bus = bus;
		this.#limits = limits;
	}

	/** Begins to sweep. Idempotent. */
	start(): void {
		if (this.#closed) return;
		this.#stop ??= systemClock.after(SWEEP_MS, () => {
			this.#sweep()
				.catch(() => {})
				.finally(() => {
					this.#stop = undefined;
					this.start();
				});
		});
	}

	close(): void {
		this.#closed = true;
		this.#stop?.();
	}

	async #sweep(): Promise<void> {
		await this.#bury();
		while (!this.#closed && (await this.#sweepSome())) {
			// There was more than one transaction may take.
		}
	}

	/** Frees the streams of processes that died, in steps, and then forgets each. */
	async #bury(): Promise<void> {
		const dead = this.#store.peek((db) => {
			const processes = db.all(processStatements.all).map(({ id }) => Number(id));
			this.#bus.peers.keepOnly(processes);
			return processes.filter((process) => !this.#bus.isAlive(process, db));
		});
		for (const process of dead ?? []) {
			while (!this.#closed && (await this.#store.write((transaction) => this.#free(transaction, process)))) {
				// There are more.
			}
		}
	}

	/** Frees some of the streams of a dead process. Returns whether there are more. */
	#free(transaction: Transaction, process: number): boolean {
		const { db } = transaction;
		const handed = this.#bus.peers.handed(process, db);
		const held = db.all(streamStatements.held, process, STREAMS_AT_ONCE);
		for (const row of held) {
			const channel = textOf(row['channel']);
			const log = StreamLog.find(transaction, textOf(row['session']), this.#limits);
			const stream = log?.stream(channel);
			if (log === undefined || stream === undefined) continue;
			const upTo = Math.max(stream.since, handed);
			log.free(channel, upTo, wasGiven(transaction, this.#limits, log, channel, stream, upTo));
			if (channel === textOf(row['session'])) log.see(upTo);
		}
		if (held.length === STREAMS_AT_ONCE) return true;
		db.run(processStatements.leaveAll, process);
		db.run(processStatements.remove, process);
		this.#bus.peers.remove(process, db);
		return false;
	}

	/** Sweeps what one transaction may. Returns whether there may be more. */
	async #sweepSome(): Promise<boolean> {
		const { now } = this.#store;
		const isDue = this.#store.peek(
			(db) =>
				db.all(logStatements.due, now, 1).length > 0 || db.all(eventStatements.old, now - UNREAD_MS, 1).length > 0,
		);
		if (isDue !== true) return false;
		return this.#store.write((transaction) => {
			const { db } = transaction;
			const old = db.all(eventStatements.old, transaction.now - UNREAD_MS, ROWS_AT_ONCE);
			for (const { id } of old) {
				db.run(eventStatements.remove, Number(id));
				transaction.purge(Number(id));
			}
			let room = ROWS_AT_ONCE - old.length;
			const due = db.all(logStatements.due, transaction.now, LOGS_AT_ONCE);
			for (const row of due) if (room > 0) room -= this.#sweepLog(transaction, row, room);
			return room <= 0 || due.length === LOGS_AT_ONCE;
		});
	}

	/** Sweeps up to `room` rows of a log, and returns how many. A log that has more stays due. */
	#sweepLog(transaction: Transaction, row: Row, room: number): number {
		const { db, now } = transaction;
		const log = new StreamLog(transaction, this.#limits, row);
		if (log.isOver) return log.remove(room);
		const sessionId = textOf(row['session']);
		let swept = log.expire(room);
		if (swept < room) swept += log.sweep(room - swept);
		if (swept < room) swept += log.forgetUnused(sessionId, room - swept);
		if (swept === room) return swept;
		// Where the broadcasts stand is asked for as long as there are sessions.
		const mayForget = sessionId !== BROADCAST_CHANNEL && forgottenAt(Number(row['used_at']), this.#limits) <= now;
		if (mayForget && !log.isHeld) return swept + log.remove(room - swept);
		// What is due again in the same sweep would keep it from being done.
		const next = now + Math.max(SWEEP_MS, this.#limits.maxAgeMs);
		db.run(logStatements.postpone, Math.min(next, log.endsAt ?? Number.POSITIVE_INFINITY), log.key);
		return swept;
	}
}
