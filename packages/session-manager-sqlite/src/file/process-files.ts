import {
	closeSync,
	existsSync,
	type FSWatcher,
	mkdirSync,
	openSync,
	readFileSync,
	rmSync,
	watch,
	writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { SqliteConnection } from './connection.js';
import { failureOf, type SqliteDatabase, type SqliteDriver } from './driver.js';
import { FILE_MODE } from './file.js';

/** Names of the files of one process. */
function namesOf(
	folder: string,
	name: string,
): { readonly lock: string; readonly bell: string; readonly cursor: string } {
	return {
		lock: join(folder, `${name}.lock`),
		bell: join(folder, `${name}.bell`),
		cursor: join(folder, `${name}.cursor`),
	};
}

/**
 * The files of this process. `lock` is locked as long as it lives: the lock ends with it, however it ends. `bell` is
 * written by whoever has something for it. `cursor` says what it has handed to its streams.
 */
export class OwnFiles {
	readonly #paths: readonly string[];
	readonly #lock: SqliteDatabase;
	readonly #watcher: FSWatcher | undefined;
	readonly #cursor: number;
	readonly #position = Buffer.alloc(8);

	/** Makes the files. `onbell` is called when the bell rings; `onerror` where this host cannot tell. */
	constructor(folder: string, name: string, driver: SqliteDriver, onbell: () => void, onerror: (error: Error) => void) {
		mkdirSync(folder, { recursive: true, mode: 0o700 });
		const { lock, bell, cursor } = namesOf(folder, name);
		this.#paths = [lock, bell, cursor];
		let opened: SqliteDatabase | undefined;
		let position: number | undefined;
		try {
			for (const path of [lock, bell]) closeSync(openSync(path, 'wx', FILE_MODE));
			position = openSync(cursor, 'wx', FILE_MODE);
			// It takes its place on the disk while there is some.
			writeSync(position, this.#position, 0, 8, 0);
			opened = driver.open(lock);
			opened.exec('BEGIN EXCLUSIVE');
		} catch (error) {
			opened?.close();
			if (position !== undefined) closeSync(position);
			for (const path of this.#paths) rmSync(path, { force: true });
			throw error;
		}
		this.#cursor = position;
		this.#lock = opened;
		this.#watcher = watched(bell, onbell, onerror);
	}

	/** Whether the bell is heard. */
	get hears(): boolean {
		return this.#watcher !== undefined;
	}

	/** Says that everything up to `position` was handed over, or is about to be. */
	handed(position: number): void {
		this.#position.writeDoubleLE(position);
		writeSync(this.#cursor, this.#position, 0, 8, 0);
	}

	/** Gives the lock up and removes the files. */
	close(): void {
		this.#watcher?.close();
		closeSync(this.#cursor);
		this.#lock.close();
		for (const path of this.#paths) rmSync(path, { force: true });
	}
}

/** The files of another process. */
export class PeerFiles {
	readonly #driver: SqliteDriver;
	readonly #names: ReturnType<typeof namesOf>;
	#bell: number | undefined;
	#lock: SqliteConnection | undefined;

	constructor(folder: string, name: string, driver: SqliteDriver) {
		this.#driver = driver;
		this.#names = namesOf(folder, name);
	}

	/** Tells the process that there is something for it. */
	ring(): void {
		try {
			this.#bell ??= openSync(this.#names.bell, 'r+');
			writeSync(this.#bell, '!', 0);
		} catch {
			// It is gone, or about to be.
		}
	}

	/** Returns whether the process lives. */
	isAlive(): boolean {
		if (!existsSync(this.#names.lock)) return false;
		try {
			this.#lock ??= new SqliteConnection(this.#driver.open(this.#names.lock));
			this.#lock.exec('PRAGMA busy_timeout = 0');
			// A lock that others may share: two processes that look at once do not see each other.
			this.#lock.get('SELECT count(*) FROM sqlite_schema');
			return false;
		} catch (error) {
			if (failureOf(error) === 'busy') return true;
			throw error;
		}
	}

	/** Returns up to where the process has handed over what was for it. */
	handed(): number {
		try {
			return readFileSync(this.#names.cursor).readDoubleLE(0);
		} catch {
			return 0;
		}
	}

	/** Forgets the process. */
	close(): void {
		if (this.#bell !== undefined) closeSync(this.#bell);
		this.#lock?.close();
	}

	/** Removes its files, because it is dead. */
	remove(): void {
		this.close();
		for (const path of Object.values(this.#names)) rmSync(path, { force: true });
	}
}

function watched(bell: string, onbell: () => void, onerror: (error: Error) => void): FSWatcher | undefined {
	try {
		const watcher = watch(bell, { persistent: false }, onbell);
		watcher.on('error', onerror);
		return watcher;
	} catch (error) {
		onerror(error as Error);
		return undefined;
	}
}
