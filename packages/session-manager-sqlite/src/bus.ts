import { randomBytes } from 'node:crypto';
import {
	BROADCAST_CHANNEL,
	type BrokerMessage,
	isAddress,
	type MaybePromise,
	SessionManagerError,
} from '@holdfast/session-manager/custom';
import { bound, type Row, type SqliteConnection, textOf } from './file/connection.js';
import { processFolder } from './file/file.js';
import { OwnFiles } from './file/process-files.js';
import { Peers } from './peers.js';
import { eventStatements, processStatements } from './statements/bus.js';
import type { SqliteStore, StoreObserver } from './store.js';
import { EVERY_PROCESS, MESSAGE, type Posted, readWorld, type Transaction } from './transaction.js';

/** How often a write is tried where the file is replaced meanwhile. */
const ATTEMPTS = 3;
/** How many messages are read at once. */
const READ_AT_ONCE = 500;
/** How often this process looks for messages, also where no bell rings, in milliseconds. */
const LOOK_MS = 50;
/** The same where this host has no bells. */
const LOOK_WITHOUT_BELL_MS = 5;

/** A manager that takes messages of the bus. */
export interface BusMember {
	received(channel: string, message: BrokerMessage): void;
	interrupted(): void;
	restored(): void;
}

const buses = new WeakMap<SqliteStore, SqliteBus>();

/**
 * What processes tell each other through the file. Messages are read in the order in which they were committed, from a
 * cursor on. What this process commits itself is handed over at once, after everything that was committed before.
 */
export class SqliteBus implements StoreObserver {
	readonly peers: Peers;
	readonly #store: SqliteStore;
	readonly #members = new Set<BusMember>();
	/** How many members listen on each address. */
	readonly #addresses = new Map<string, number>();
	/** The number of this process; `undefined` until it is registered. */
	#process: number | undefined;
	#name = '';
	#files: OwnFiles | undefined;
	#registering: Promise<void> | undefined;
	/** The newest message that was read. */
	#cursor = 0;
	/** What the transaction that runs has read before, and whether that is all. */
	#before: Row[] = [];
	#isComplete = true;
	#dataVersion: unknown;
	#isLost = false;
	#timer: ReturnType<typeof setInterval> | undefined;

	private constructor(store: SqliteStore) {
		this.#store = store;
		this.peers = new Peers(store);
	}

	/** Returns the bus of a store. */
	static of(store: SqliteStore): SqliteBus {
		const bus = buses.get(store) ?? new SqliteBus(store);
		buses.set(store, bus);
		store.observe(bus);
		return bus;
	}

	/** The number of this process. Throws `unavailable` where it is not registered (any more). */
	get process(): number {
		if (this.#process !== undefined && !this.#isLost) return this.#process;
		throw new SessionManagerError('unavailable', 'This process is not registered in the file yet; try again later.');
	}

	/** Returns whether a process lives. */
	isAlive(process: number, db: SqliteConnection): boolean {
		return process === this.#process || this.peers.isAlive(process, db);
	}

	/** Registers this process, once for all members: from then on, it misses nothing. */
	join(member: BusMember): MaybePromise<void> {
		this.#members.add(member);
		return this.#ready();
	}

	/** Makes `work` write as this process: not before it is registered in the file that is there. */
	async write<T>(work: (transaction: Transaction) => T): Promise<T> {
		for (let attempt = 1; ; attempt++) {
			await this.#ready();
			const done = await this.#store.write((transaction) => (this.#reads ? { value: work(transaction) } : undefined));
			if (done !== undefined) return done.value;
			// The file was replaced just now.
			if (attempt === ATTEMPTS) throw new SessionManagerError('unavailable', 'The file is replaced again and again.');
		}
	}

	/** Ends the membership; with the last one, the registration. */
	async leave(member: BusMember): Promise<void> {
		if (!this.#members.delete(member) || this.#members.size > 0) return;
		clearInterval(this.#timer);
		this.#timer = undefined;
		await this.#registering?.catch(() => {});
		const process = this.#process;
		this.#process = undefined;
		this.#addresses.clear();
		if (process !== undefined) {
			// Where the file is away, the others find out by the lock.
			await this.#store.write((transaction) => deregister(transaction, process)).catch(() => {});
		}
		this.#closeFiles();
		this.peers.close();
	}

	/** Listens on an address. */
	async listen(address: string): Promise<void> {
		const count = this.#addresses.get(address) ?? 0;
		this.#addresses.set(address, count + 1);
		try {
			if (count === 0) await this.write(({ db }) => db.run(processStatements.listen, bound(address), this.process));
		} catch (error) {
			this.#forget(address);
			throw error;
		}
	}

	/** Ends {@link listen}. */
	async unlisten(address: string): Promise<void> {
		const process = this.#process;
		if (!this.#forget(address) || process === undefined) return;
		await this.#store.write(({ db }) => db.run(processStatements.leave, bound(address), process));
	}

	begun(transaction: Transaction): void {
		this.#before = [];
		this.#isComplete = true;
		const { db, world } = transaction;
		if (!this.#reads) return;
		if (world.last > this.#cursor && !this.#hasMissed(world.purged)) {
			this.#before = db.all(eventStatements.between, this.#cursor, world.last, this.process, READ_AT_ONCE);
			this.#isComplete = this.#before.length < READ_AT_ONCE;
		}
		if (this.#isComplete) transaction.direct = this.process;
	}

	committed({ posted, last, world, db }: Transaction): void {
		this.peers.ring(posted, this.#process, db);
		if (!this.#reads) return;
		if (this.#hasMissed(world.purged)) return this.#skip(last);
		if (!this.#isComplete) return this.#handBefore();
		const own = posted.filter(({ target }) => target === EVERY_PROCESS || target === this.#process);
		this.#hand(this.#before, own, last);
	}

	rolledBack({ world }: Transaction): void {
		if (!this.#reads || this.#hasMissed(world.purged)) return;
		if (this.#isComplete) this.#hand(this.#before, [], world.last);
		else this.#handBefore();
	}

	lost(): void {
		this.#isLost = true;
		this.peers.close();
		for (const member of this.#members) member.interrupted();
	}

	reopened(): void {
		if (this.#members.size === 0 || !this.#isLost || this.#registering !== undefined) return;
		this.#registering = this.#registerAgain().finally(() => {
			this.#registering = undefined;
		});
		this.#registering.catch((error: Error) => this.#store.report(error));
	}

	/** Whether messages are read now. */
	get #reads(): boolean {
		return this.#process !== undefined && !this.#isLost;
	}

	#ready(): MaybePromise<void> {
		if (this.#reads) return;
		return this.#process === undefined ? this.#registered() : this.#recovered();
	}

	async #recovered(): Promise<void> {
		await this.#store.read(() => {});
		this.reopened();
		await this.#registering;
	}

	#registered(): Promise<void> {
		this.#registering ??= this.#register().finally(() => {
			this.#registering = undefined;
		});
		return this.#registering;
	}

	async #register(): Promise<void> {
		const name = randomBytes(9).toString('base64url');
		// The lock is held before anybody can look at it. What these files refuse is told as what the database refuses.
		const files = await this.#store.read(
			() =>
				new OwnFiles(
					processFolder(this.#store.path),
					name,
					this.#store.driver,
					() => this.#drain(),
					(error) => this.#store.report(error),
				),
		);
		try {
			const [process, cursor] = await this.#store.write(({ db, world }) => [
				Number(db.get(processStatements.add, name)?.['id']),
				world.last,
			]);
			this.#closeFiles();
			this.#name = name;
			this.#files = files;
			this.#process = process;
			this.#cursor = cursor;
		} catch (error) {
			files.close();
			throw error;
		}
		this.#isLost = false;
		this.#lookLater();
	}

	/** The file is back, or another one is in its place. */
	async #registerAgain(): Promise<void> {
		const process = this.#process ?? 0;
		const known = await this.#store.write(({ db, world }) => {
			if (db.get(processStatements.name, process)?.['name'] === this.#name) return world.last;
		});
		if (known === undefined) {
			this.#process = undefined;
			await this.#register();
			await this.#store.write(({ db }) => {
				for (const address of this.#addresses.keys()) db.run(processStatements.listen, bound(address), this.process);
			});
		} else {
			this.#cursor = known;
			this.#isLost = false;
		}
		for (const member of this.#members) member.restored();
	}

	#lookLater(): void {
		clearInterval(this.#timer);
		this.#timer = setInterval(() => this.#look(), this.#files?.hears ? LOOK_MS : LOOK_WITHOUT_BELL_MS);
		this.#timer.unref();
	}

	/** Looks whether the file is still there, and whether another process has committed something. */
	#look(): void {
		this.#store.look();
		if (this.#isLost && this.#store.isOpen) return this.reopened();
		const version = this.#store.peek((db) => db.get('PRAGMA data_version')?.['data_version']);
		if (version === undefined || version === this.#dataVersion) return;
		this.#dataVersion = version;
		this.#drain();
	}

	/** Reads what others have posted, and hands it over. */
	#drain(): void {
		if (!this.#reads) return;
		this.#store.peek((db) => {
			const { last, purged } = readWorld(db);
			if (last <= this.#cursor) return;
			if (this.#hasMissed(purged)) return this.#skip(last);
			const rows = db.all(eventStatements.between, this.#cursor, last, this.process, READ_AT_ONCE);
			if (rows.length < READ_AT_ONCE) return this.#hand(rows, [], last);
			this.#hand(rows, [], Number(rows.at(-1)?.['id']));
			setImmediate(() => this.#drain());
		});
	}

	#handBefore(): void {
		this.#hand(this.#before, [], Number(this.#before.at(-1)?.['id']));
		setImmediate(() => this.#drain());
	}

	/** Hands messages over that end at `last`. */
	#hand(rows: readonly Row[], own: readonly Posted[], last: number): void {
		this.#cursor = last;
		if (rows.length === 0 && own.length === 0) return;
		// First: what a client may have got counts as handed over, so that nobody gets it twice without a word.
		try {
			this.#files?.handed(last);
		} catch (error) {
			// Nobody is to wait for that: it matters only where this process dies next.
			this.#store.report(error);
		}
		for (const row of rows)
			this.#deliver(Number(row['id']), Number(row['kind']), textOf(row['channel']), textOf(row['data']));
		for (const { id, kind, channel, data } of own) this.#deliver(id, kind, channel, data);
	}

	#deliver(offset: number, kind: number, channel: string, data: string): void {
		const message: BrokerMessage =
			kind === MESSAGE.event
				? { type: 'event', offset, data }
				: kind === MESSAGE.taken
					? { type: 'taken', order: Number(data) }
					: { type: 'over' };
		for (const member of this.#members) member.received(channel, message);
	}

	/** Whether messages were removed before this process read them, because it did not run for long. */
	#hasMissed(purged: number): boolean {
		return purged > this.#cursor;
	}

	#skip(last: number): void {
		this.#cursor = last;
		for (const member of this.#members) {
			member.interrupted();
			member.restored();
		}
	}

	/** Returns whether nobody listens on the address any more. */
	#forget(address: string): boolean {
		const count = (this.#addresses.get(address) ?? 1) - 1;
		if (count > 0) this.#addresses.set(address, count);
		else this.#addresses.delete(address);
		return count <= 0;
	}

	#closeFiles(): void {
		try {
			this.#files?.close();
		} catch (error) {
			this.#store.report(error);
		}
		this.#files = undefined;
	}
}

/** Returns whether a channel is that of streams, whose holders are in the table of streams. */
export function isStreamChannel(channel: string): boolean {
	return channel === BROADCAST_CHANNEL || !isAddress(channel);
}

function deregister({ db }: Transaction, process: number): void {
	db.run(processStatements.leaveAll, process);
	db.run(processStatements.remove, process);
}
