import { randomUUID } from 'node:crypto';
import { readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ConversationError } from '../contract/conversation-error.js';
import type { HeadFile } from '../store/stored-records.js';
import { ConversationFolder } from './conversation-folder.js';
import { diskError, hasCode, makeFolder, syncFolder } from './disk.js';
import { folderNameOf } from './folder-name.js';
import { FolderPool } from './folder-pool.js';
import { PathLock } from './path-lock.js';
import { ProcessMark } from './process-mark.js';

/** What a write got for a conversation that exists. */
export interface OpenedFolder {
	readonly folder: ConversationFolder;
	readonly file: HeadFile;
}

/** The folder of all conversations, which several processes use: who may read or write which of them, and when. */
export class ConversationsFolder {
	readonly #root: string;
	readonly #mark: ProcessMark;
	readonly #lock: PathLock;
	readonly #folders: FolderPool;
	#opened: Promise<void> | undefined;
	#closed = false;

	constructor(root: string, lockTimeoutMs: number, maxCached: number) {
		this.#root = root;
		this.#mark = new ProcessMark(join(root, '.processes'));
		this.#lock = new PathLock(this.#mark, lockTimeoutMs);
		this.#folders = new FolderPool((name) => this.folderOf(name), maxCached);
	}

	/** Makes the folder where it is missing. Rejects where the store is closed. */
	open(): Promise<void> {
		if (this.#closed) return Promise.reject(new ConversationError('closed', 'The store is closed.'));
		this.#opened ??= this.#start().catch((error) => {
			this.#opened = undefined;
			throw error;
		});
		return this.#opened;
	}

	/** Returns the names of the folders, sorted. */
	async names(): Promise<string[]> {
		try {
			return (await readdir(this.#root)).filter((name) => !name.startsWith('.')).sort();
		} catch (error) {
			throw diskError(error, this.#root);
		}
	}

	/** The folder by itself, to read its head: that needs no turn, and none is free where heads are counted. */
	folderOf(name: string): ConversationFolder {
		return new ConversationFolder(join(this.#root, name));
	}

	/** Returns a path for a conversation that is being created. It tells who creates it. */
	newPath(): string {
		return this.pathOf(`.new-${this.#mark.name}~${randomUUID()}`);
	}

	/** Returns a path beside the folders of conversations. */
	pathOf(name: string): string {
		return join(this.#root, name);
	}

	/** Puts a prepared folder in the place of a conversation; `false` where that is taken. `check` may throw before. */
	async add(id: string, prepared: string, check: () => Promise<void>): Promise<boolean> {
		try {
			return await this.exclusively('create', async () => {
				const path = join(this.#root, folderNameOf(id));
				if (await this.#exists(path)) return false;
				await check();
				await rename(prepared, path);
				await syncFolder(this.#root);
				return true;
			});
		} catch (error) {
			throw diskError(error, this.#root);
		}
	}

	/** Moves a conversation to `trash`; `false` where there is none, or it is not the one that is meant. */
	async remove(id: string, trash: string, isMeant: (folder: ConversationFolder) => Promise<boolean>): Promise<boolean> {
		await this.open();
		const name = folderNameOf(id);
		const removed = await this.#folders.use(name, (folder) =>
			this.#lock.hold(folder.lock, async () => {
				if (!(await isMeant(folder))) return false;
				await folder.moveTo(trash);
				return true;
			}),
		);
		this.#folders.drop(name);
		if (removed === undefined) await this.#checkRoot();
		return removed ?? false;
	}

	/** Reads a conversation; `undefined` where `work` finds none. */
	async read<T>(id: string, work: (folder: ConversationFolder) => Promise<T | undefined>): Promise<T | undefined> {
		await this.open();
		const found = await this.#folders.use(folderNameOf(id), work);
		if (found === undefined) await this.#checkRoot();
		return found;
	}

	/** Reads a conversation without keeping it in memory. */
	glance<T>(name: string, work: (folder: ConversationFolder) => Promise<T>): Promise<T> {
		return this.#folders.glance(name, work);
	}

	/** Writes a conversation; `undefined` where it is unknown, or has ended and `evenEnded` is not set. */
	async write<T>(id: string, evenEnded: boolean, work: (opened: OpenedFolder) => Promise<T>): Promise<T | undefined> {
		await this.open();
		let exists = false;
		const written = await this.#folders.use(folderNameOf(id), (folder) =>
			this.#locked(folder, async () => {
				const file = await folder.readHead();
				exists = file !== undefined;
				if (file === undefined || (file.head.state === 'terminated' && !evenEnded)) return undefined;
				return work({ folder, file });
			}),
		);
		if (!exists) await this.#checkRoot();
		return written;
	}

	/** Works on the folder of a conversation, whatever is in it; `undefined` where there is none. */
	async mend<T>(id: string, work: (folder: ConversationFolder) => Promise<T>): Promise<T | undefined> {
		await this.open();
		const name = folderNameOf(id);
		const mended = await this.#folders.use(name, (folder) => this.#lock.hold(folder.lock, () => work(folder)));
		this.#folders.drop(name);
		return mended;
	}

	/** Runs `work` while no other process does something of the same `name`. */
	exclusively<T>(name: string, work: () => Promise<T>): Promise<T> {
		return this.#folders.alone(`.${name}`, async () => {
			const done = await this.#lock.hold(join(this.#root, `.${name}.lock`), async () => ({ result: await work() }));
			if (done === undefined) throw this.#gone();
			return done.result;
		});
	}

	/** Frees what is kept of a conversation in memory. */
	release(id: string): void {
		this.#folders.drop(folderNameOf(id));
	}

	async close(): Promise<void> {
		if (this.#closed) return;
		this.#closed = true;
		await this.#opened?.catch(() => undefined);
		await this.#folders.idle();
		await this.#mark.close();
	}

	async #locked<T>(folder: ConversationFolder, work: () => Promise<T>): Promise<T | undefined> {
		try {
			return await this.#lock.hold(folder.lock, work);
		} catch (error) {
			throw diskError(error, folder.path);
		}
	}

	async #start(): Promise<void> {
		await makeFolder(this.#root);
		await this.#mark.open();
		await this.#removeUnfinished();
	}

	/** Removes what processes left that ended while they created or deleted. */
	async #removeUnfinished(): Promise<void> {
		for (const name of await readdir(this.#root)) {
			const [, creator] = /^\.new-([\da-f-]{36})/.exec(name) ?? [];
			const isLeft = creator === undefined ? name.startsWith('.deleted-') : !(await this.#mark.isAlive(creator));
			if (isLeft) await rm(join(this.#root, name), { recursive: true, force: true });
		}
	}

	/** A folder that is gone as a whole, as when a disk is not mounted, does not mean that there are no conversations. */
	async #checkRoot(): Promise<void> {
		if (!(await this.#exists(join(this.#root, '.processes')))) throw this.#gone();
	}

	async #exists(path: string): Promise<boolean> {
		try {
			await stat(path);
			return true;
		} catch (error) {
			if (hasCode(error, 'ENOENT')) return false;
			throw diskError(error, path);
		}
	}

	#gone(): ConversationError {
		return new ConversationError('unavailable', `The folder ${this.#root} is not there: is its disk mounted?`);
	}
}
