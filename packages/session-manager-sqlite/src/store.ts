import { resolve as absolute } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type MaybePromise, SessionManagerError, systemClock } from '@holdfast/session-manager/custom';
import { toError } from '@holdfast/session-manager/internal';
import { Checkpointer } from './file/checkpointer.js';
import type { SqliteConnection } from './file/connection.js';
import { driverOf, failureOf, pathOf, type SqliteDriver, type SqliteSource } from './file/driver.js';
import { identityOf, makeFile, obstacleOf } from './file/file.js';
import { hostTime } from './file/store-clock.js';
import { openConnection } from './open-connection.js';
import { worldStatements } from './statements/bus.js';
import { readWorld, Transaction } from './transaction.js';

/** How long a call may wait for the file, in milliseconds. */
const PATIENCE_MS = 800;
/** How long opening the file may wait for other processes that open it, in milliseconds. */
const OPENING_MS = 5_000;
/** How long to wait before trying again to write while another process writes, in milliseconds. */
const BUSY_MS = 1;
/** After how long a transaction takes no more calls, in milliseconds: the loop must not be blocked for long. */
const TRANSACTION_MS = 6;

/** What takes part in each transaction. */
export interface StoreObserver {
	/** A transaction has begun; it excludes every other process. */
	begun(transaction: Transaction): void;
	/** It is committed. */
	committed(transaction: Transaction): void;
	/** It is not, and nothing of it was written. */
	rolledBack(transaction: Transaction): void;
	/** The file cannot be used any more. */
	lost(): void;
	/** The file, or another one in its place, can be used again. */
	reopened(): void;
}

interface Call {
	readonly since: number;
	readonly work: (transaction: Transaction) => unknown;
	readonly resolve: (value: unknown) => void;
	readonly reject: (error: Error) => void;
}

const stores = new Map<string | object, SqliteStore>();

/**
 * One file, opened once in this process for all managers on it. Reads are made at once. Writes wait for the end of the
 * turn of the event loop and are one transaction together; another process that writes is waited for with a timer,
 * never in SQLite, which would block the loop. Every failure of the file becomes `SessionManagerError` `unavailable`,
 * within {@link PATIENCE_MS}.
 */
export class SqliteStore {
	/** The path, as it was given. */
	readonly path: string;
	readonly #source: SqliteSource;
	readonly #key: string | object;
	readonly #reporters = new Set<(error: Error) => void>();
	readonly #observers = new Set<StoreObserver>();
	readonly #checkpointer: Checkpointer;
	#users = 0;
	#driver: SqliteDriver | undefined;
	#db: SqliteConnection | undefined;
	/** Which file is open. */
	#identity: string | undefined;
	#opening: Promise<void> | undefined;
	#waiting: Call[] = [];
	#isScheduled = false;
	#shift = 0;
	/** What was reported last, so that it is reported once. */
	#reported = '';

	private constructor(source: SqliteSource, key: string | object) {
		this.#source = source;
		this.#key = key;
		this.path = pathOf(source);
		this.#checkpointer = new Checkpointer((error) => this.report(error));
	}

	/** Returns the store of `source`, for one more user. `onerror` is called with errors that no caller hears of. */
	static use(source: SqliteSource, onerror: (error: Error) => void): SqliteStore {
		const key = typeof source === 'string' ? absolute(pathOf(source)) : source;
		const store = stores.get(key) ?? new SqliteStore(source, key);
		stores.set(key, store);
		store.#users++;
		store.#reporters.add(onerror);
		return store;
	}

	/** Ends the use by one user; the last one closes the file. */
	async release(onerror: (error: Error) => void): Promise<void> {
		if (!this.#reporters.delete(onerror) || --this.#users > 0) return;
		stores.delete(this.#key);
		await this.#opening?.catch(() => {});
		this.#failAll(closed());
		await this.#checkpointer.close();
		// Some drivers keep the file open until the statements are collected, so this is not left to the last one's close.
		this.peek((db) => db.get('PRAGMA wal_checkpoint(TRUNCATE)'));
		this.#close();
	}

	observe(observer: StoreObserver): void {
		this.#observers.add(observer);
	}

	unobserve(observer: StoreObserver): void {
		this.#observers.delete(observer);
	}

	report(error: unknown): void {
		const { message } = toError(error);
		if (message === this.#reported) return;
		this.#reported = message;
		for (const reporter of this.#reporters) reporter(toError(error));
	}

	/** The driver; present once the file was opened. */
	get driver(): SqliteDriver {
		if (this.#driver === undefined) throw new TypeError('The file was never opened.');
		return this.#driver;
	}

	/** The time of the store's clock, in milliseconds. All processes read the same, and nobody can set it. */
	get now(): number {
		return hostTime() + this.#shift;
	}

	/** Whether the file can be used, as far as is known. */
	get isOpen(): boolean {
		return this.#db !== undefined;
	}

	/** Makes `work` read: at once where the file is open. It sees one state of the file for each statement. */
	read<T>(work: (db: SqliteConnection, now: number) => T): MaybePromise<T> {
		if (this.#users === 0) throw closed();
		const db = this.#present();
		if (db === undefined) return this.#opened().then(() => this.read(work));
		try {
			return work(db, this.now);
		} catch (error) {
			if (failureOf(error) !== 'busy') throw this.#translate(error);
			return this.#readLater(work, systemClock.monotonic() + PATIENCE_MS);
		}
	}

	/** Makes `work` read if the file is open and not busy; otherwise returns `undefined`. Errors are reported. */
	peek<T>(work: (db: SqliteConnection) => T): T | undefined {
		const db = this.#present();
		try {
			return db && work(db);
		} catch (error) {
			// What is busy is looked at again soon.
			if (failureOf(error) !== 'busy') this.report(this.#translate(error));
			return undefined;
		}
	}

	/** Makes `work` write, in one transaction with what else waits. Resolves once that is committed. */
	write<T>(work: (transaction: Transaction) => T): Promise<T> {
		return new Promise<T>((resolve, reject) => {
			if (this.#users === 0) return reject(closed());
			const call = { since: systemClock.monotonic(), work, resolve: resolve as (value: unknown) => void, reject };
			this.#waiting.push(call);
			this.#schedule();
		});
	}

	/** Looks whether the file is still there, and opens it where it is there again. */
	look(): void {
		if (this.#present() === undefined && this.#opening === undefined) this.#opened().catch(() => {});
	}

	/** Another process recovers the file after a crash, or has just opened it. */
	async #readLater<T>(work: (db: SqliteConnection, now: number) => T, until: number): Promise<T> {
		for (;;) {
			await delay(BUSY_MS);
			const db = this.#present();
			if (db === undefined) throw this.#unavailable(this.#gone());
			try {
				return work(db, this.now);
			} catch (error) {
				if (failureOf(error) !== 'busy' || systemClock.monotonic() > until) throw this.#translate(error);
			}
		}
	}

	#schedule(): void {
		if (this.#isScheduled) return;
		this.#isScheduled = true;
		setImmediate(() => this.#flush());
	}

	#flush(): void {
		this.#isScheduled = false;
		if (this.#waiting.length === 0) return;
		const db = this.#present();
		if (db === undefined) {
			this.#opened().then(
				() => this.#flush(),
				(error: Error) => this.#failAll(error),
			);
			return;
		}
		try {
			db.exec('BEGIN IMMEDIATE');
		} catch (error) {
			if (failureOf(error) !== 'busy') return this.#failAll(this.#translate(error));
			this.#failLate(error);
			this.#isScheduled = this.#waiting.length > 0;
			if (this.#isScheduled) setTimeout(() => this.#flush(), BUSY_MS);
			return;
		}
		this.#transact(db);
		if (this.#waiting.length > 0) this.#schedule();
	}

	#transact(db: SqliteConnection): void {
		const done: (() => void)[] = [];
		const calls: Call[] = [];
		let transaction: Transaction | undefined;
		try {
			const world = readWorld(db);
			this.#shift = world.shift;
			transaction = new Transaction(db, world, this.now);
			for (const observer of this.#observers) observer.begun(transaction);
			const until = systemClock.monotonic() + TRANSACTION_MS;
			for (const call of this.#waiting) {
				if (calls.length > 0 && systemClock.monotonic() > until) break;
				calls.push(call);
				done.push(settled(call, transaction));
			}
			const { last, purged, now } = transaction;
			if (last > world.last || purged > world.purged) {
				db.run(worldStatements.advance, last, purged, now, systemClock.now());
			}
			db.exec('COMMIT');
		} catch (error) {
			this.#rollBack(db);
			const failed = transaction;
			if (failed !== undefined) this.#tell((observer) => observer.rolledBack(failed));
			// All are refused: which of them the file could not take is not worth finding out.
			return this.#failAll(this.#translate(error));
		}
		this.#waiting = this.#waiting.slice(calls.length);
		// What was written to a file that is not there any more is lost.
		if (this.#present() === undefined) {
			for (const { reject } of calls) reject(this.#unavailable(this.#gone()));
			return;
		}
		this.#reported = '';
		this.#checkpointer.wrote();
		const committed = transaction;
		this.#tell((observer) => observer.committed(committed));
		for (const settle of done) settle();
	}

	/** Tells those who look on. What fails there changes nothing for the callers, whose work is done. */
	#tell(what: (observer: StoreObserver) => void): void {
		for (const observer of this.#observers) {
			try {
				what(observer);
			} catch (error) {
				this.report(error);
			}
		}
	}

	#rollBack(db: SqliteConnection): void {
		try {
			db.exec('ROLLBACK');
		} catch {
			// SQLite has rolled back by itself.
		}
	}

	/** Returns the connection if its file is still there. */
	#present(): SqliteConnection | undefined {
		if (this.#db === undefined || identityOf(this.path) === this.#identity) return this.#db;
		this.#close();
		this.report(this.#gone());
		this.#tell((observer) => observer.lost());
		return undefined;
	}

	#gone(): Error {
		const cause = obstacleOf(this.path);
		if (cause !== undefined) return new Error(`${this.path} cannot be reached: ${cause.message}.`, { cause });
		return identityOf(this.path) === undefined
			? new Error(`${this.path} is gone: put it back, or restart to begin with an empty one.`)
			: new Error(`${this.path} was replaced by another file: sessions are what that one says.`);
	}

	/** Opens the file. Concurrent callers share one attempt. */
	#opened(): Promise<void> {
		this.#opening ??= this.#open().finally(() => {
			this.#opening = undefined;
		});
		return this.#opening;
	}

	async #open(): Promise<void> {
		const isAgain = this.#identity !== undefined;
		try {
			// A file that was there is never made anew: where its disk is away for a moment, it would be an empty one.
			if (isAgain && identityOf(this.path) === undefined) throw this.#gone();
			if (!isAgain) await makeFile(this.path);
			this.#driver ??= await driverOf(this.#source);
			const { connection, identity, shift, isShared } = await openConnection(this.path, this.#driver, OPENING_MS);
			this.#db = connection;
			this.#identity = identity;
			this.#shift = shift;
			this.#checkpointLater(this.#driver, isShared);
		} catch (error) {
			const translated = this.#translate(error);
			this.report(translated);
			throw translated;
		}
		if (isAgain) this.#tell((observer) => observer.reopened());
	}

	/** Where a thread can do it, SQLite must not write its WAL back on the event loop. */
	#checkpointLater({ module }: SqliteDriver, isShared: boolean): void {
		if (module === undefined || !isShared) return;
		this.#db?.exec('PRAGMA wal_autocheckpoint = 0');
		this.#checkpointer.open(this.path, module);
	}

	#close(): void {
		void this.#checkpointer.close();
		const db = this.#db;
		this.#db = undefined;
		try {
			db?.close();
		} catch (error) {
			this.report(error);
		}
	}

	#failAll(error: Error): void {
		for (const { reject } of this.#waiting.splice(0)) reject(error);
	}

	#failLate(cause: unknown): void {
		const late = systemClock.monotonic() - PATIENCE_MS;
		if ((this.#waiting[0]?.since ?? late) >= late) return;
		const error = this.#unavailable(new Error(`${this.path} is locked by another process.`, { cause }));
		for (const { since, reject } of this.#waiting) if (since < late) reject(error);
		this.#waiting = this.#waiting.filter(({ since }) => since >= late);
	}

	#translate(error: unknown): Error {
		if (error instanceof SessionManagerError || error instanceof TypeError) return error;
		const failure = failureOf(error);
		if (failure === 'other' && (error as { errcode?: unknown }).errcode !== undefined) return toError(error);
		if (failure === 'corrupt') {
			const message = `${this.path} is damaged, or is no database: restore it from a backup.`;
			const corrupt = new SessionManagerError('corrupt', message, { cause: error });
			this.report(corrupt);
			return corrupt;
		}
		const unavailable = this.#unavailable(toError(error));
		if (failure !== 'busy') this.report(unavailable);
		return unavailable;
	}

	#unavailable(cause: Error): SessionManagerError {
		const reasons = {
			full: `The disk of ${this.path} is full`,
			readonly: `${this.path} cannot be written: its owner, its permissions or its disk forbid it`,
			io: `${this.path} cannot be read or written`,
			busy: `${this.path} is locked by another process`,
			corrupt: '',
			other: cause.message.replace(/\.$/, ''),
		};
		return new SessionManagerError('unavailable', `${reasons[failureOf(cause)]}.`, { cause });
	}
}

/** Makes a call, and returns what tells its caller the outcome once it is committed. */
function settled(call: Call, transaction: Transaction): () => void {
	try {
		const value = call.work(transaction);
		return () => call.resolve(value);
	} catch (error) {
		// It refused before it wrote anything; what the file refuses concerns the whole transaction.
		if (error instanceof SessionManagerError) return () => call.reject(error);
		throw error;
	}
}

function closed(): SessionManagerError {
	return new SessionManagerError('closed', 'The session manager is closed.');
}
