import { realpathSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { systemClock } from '@holdfast/session-manager/custom';
import { sizeOf } from './file.js';

/** From which size the WAL is written back, in bytes. */
const MAX_WAL_BYTES = 8 * 1024 * 1024;
/** How often its size is looked at, in milliseconds. */
const LOOK_MS = 100;
/** The same after somebody's reading, a backup for example, kept the WAL from being emptied. */
const LOOK_AFTER_BUSY_MS = 2_000;
/** The id of a thread that has ended. */
const ENDED = -1;

/** What the thread says when it is done. */
interface Outcome {
	/** Whether somebody reads what is older. */
	readonly isBusy: boolean;
	readonly problem: Error | undefined;
}

/**
 * What the thread runs: text, so that it is there in a bundle, too. Most is written back while others write. The rest
 * is little then, but excludes them, also while it waits for those who read: so it is tried only where nobody who reads
 * keeps much of it, and for a short time. The first write to an emptied WAL waits for the disk, so the thread makes it.
 */
const program = `
const { parentPort, workerData } = require('node:worker_threads');
const { DatabaseSync } = require(workerData.module);
const database = new DatabaseSync(workerData.path);
database.exec('PRAGMA busy_timeout = 100; PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 0');
parentPort.on('message', (wanted) => {
	if (wanted === 'close') {
		database.close();
		parentPort.close();
		return;
	}
	let problem;
	let isBusy = true;
	try {
		const first = database.prepare('PRAGMA wal_checkpoint(PASSIVE)').get();
		const { log, checkpointed } = database.prepare('PRAGMA wal_checkpoint(PASSIVE)').get();
		const isHeld = checkpointed === first.checkpointed && log - checkpointed > 1000;
		if (!isHeld) isBusy = database.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get().busy !== 0;
		if (!isBusy) database.exec('UPDATE holdfast_world SET wall = wall');
	} catch (error) {
		if ((error.errcode & 0xff) !== 5) problem = error;
	}
	parentPort.postMessage({ isBusy, problem });
});
`;

/** Writes the WAL back to the file in a thread of its own: that waits for the disk, and the event loop must not. */
export class Checkpointer {
	readonly #onerror: (error: Error) => void;
	/** What the thread needs; `undefined` where it must not run. */
	#what: { readonly path: string; readonly module: string } | undefined;
	#worker: Worker | undefined;
	#isWorking = false;
	/** When the size is looked at again, on the monotonic clock. */
	#lookAt = Number.NEGATIVE_INFINITY;

	constructor(onerror: (error: Error) => void) {
		this.#onerror = onerror;
	}

	/** Begins to look after the file at `path`; `module` is where the thread finds SQLite. */
	open(path: string, module: string): void {
		this.#what = { path: realpathSync(path), module };
	}

	/** Something was written. */
	wrote(): void {
		const now = systemClock.monotonic();
		if (this.#what === undefined || this.#isWorking || now < this.#lookAt) return;
		this.#lookAt = now + LOOK_MS;
		if (sizeOf(`${this.#what.path}-wal`) < MAX_WAL_BYTES) return;
		this.#isWorking = true;
		this.#worker ??= this.#start(this.#what);
		this.#worker.postMessage('checkpoint');
	}

	/** Ends the thread, once it has done what it does. */
	async close(): Promise<void> {
		const worker = this.#worker;
		this.#what = undefined;
		this.#worker = undefined;
		this.#isWorking = false;
		if (worker === undefined || worker.threadId === ENDED) return;
		const over = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
		worker.ref();
		// A thread that is terminated in the middle of a call of SQLite may take the process with it.
		worker.postMessage('close');
		await over;
	}

	#start(workerData: { readonly path: string; readonly module: string }): Worker {
		const worker = new Worker(program, { eval: true, workerData, execArgv: [] });
		worker.unref();
		worker.on('message', ({ isBusy, problem }: Outcome) => {
			this.#isWorking = false;
			if (isBusy) this.#lookAt = systemClock.monotonic() + LOOK_AFTER_BUSY_MS;
			if (problem !== undefined) this.#onerror(problem);
		});
		worker.on('error', (error) => {
			if (this.#worker === worker) void this.close();
			this.#onerror(error);
		});
		return worker;
	}
}
