import { randomUUID } from 'node:crypto';
import { readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ConversationError } from '../contract/conversation-error.js';
import {
	type ContextEntry,
	type ContextWrite,
	type ConversationCounts,
	type ConversationHead,
	type Discovery,
	ERASED,
	type Message,
	type NewDiscovery,
	type NewMessage,
	type StoredConversation,
} from '../contract/conversation-record.js';
import {
	type ContextWritten,
	type ConversationFilter,
	type ConversationPage,
	ConversationStore,
	type HistoryRoom,
	type Range,
	type StoreLimits,
} from '../contract/conversation-store.js';
import type { SearchCandidate, SearchRequest } from '../contract/search-request.js';
import { candidatesIn } from '../store/candidates.js';
import type { ContextChange, ContextTable } from '../store/context-table.js';
import { inside } from '../store/inside.js';
import { checkLimits, isSearched, matches } from '../store/matches.js';
import type { HeadFile } from '../store/stored-records.js';
import { ConversationFolder } from './conversation-folder.js';
import { diskError, hasCode, makeFolder, removeLeftovers, syncFolder } from './disk.js';
import { folderNameOf } from './folder-name.js';
import { FolderPool } from './folder-pool.js';
import { PathLock } from './path-lock.js';
import { ProcessMark } from './process-mark.js';
import { repairFolder } from './repair.js';

/** Options of {@link FileConversationStore}. */
export interface FileConversationStoreOptions {
	/**
	 * How many conversations are kept in memory, so that they need not be read again.
	 *
	 * @default 100
	 */
	readonly maxCached?: number;
	/**
	 * How long a write waits for other processes that write the same conversation, in milliseconds. Then it rejects with
	 * `unavailable`.
	 *
	 * @default 10,000
	 */
	readonly lockTimeoutMs?: number;
}

/** What a write got for a conversation that exists and has not ended. */
interface Opened {
	readonly folder: ConversationFolder;
	readonly file: HeadFile;
}

/**
 * Keeps each conversation in a folder of files that people can read, for all processes of one host. What a write has
 * acknowledged is on the disk. The folder is made on first use.
 *
 * @example
 * ```ts source="../../test/examples/stores.examples.ts#files"
 * const store = new FileConversationStore('./conversations');
 * store.onerror = report;
 * const conversations = new Conversations(store);
 * ```
 */
export class FileConversationStore extends ConversationStore {
	readonly #root: string;
	readonly #mark: ProcessMark;
	readonly #lock: PathLock;
	readonly #folders: FolderPool;
	#opened: Promise<void> | undefined;
	#closed = false;

	constructor(root: string, options: FileConversationStoreOptions = {}) {
		super();
		this.#root = root;
		this.#mark = new ProcessMark(join(root, '.processes'));
		this.#lock = new PathLock(this.#mark, options.lockTimeoutMs ?? 10_000);
		this.#folders = new FolderPool((name) => this.#folderOf(name), options.maxCached ?? 100);
	}

	override async create(head: ConversationHead, limits: StoreLimits = {}): Promise<boolean> {
		await this.#open();
		const prepared = join(this.#root, `.new-${randomUUID()}`);
		await ConversationFolder.prepare(prepared, head);
		try {
			const created = await this.#exclusively('create', async () => {
				const path = join(this.#root, folderNameOf(head.id));
				if (await this.#exists(path)) return false;
				await this.#checkLimits(head, limits);
				await rename(prepared, path);
				await syncFolder(this.#root);
				return true;
			});
			return created;
		} catch (error) {
			throw diskError(error, this.#root);
		} finally {
			await rm(prepared, { recursive: true, force: true });
		}
	}

	override async read(id: string): Promise<StoredConversation | undefined> {
		return this.#read(id, (folder) => folder.read());
	}

	override async write(
		id: string,
		version: string,
		head: ConversationHead,
		limits: StoreLimits = {},
	): Promise<boolean> {
		const work = () =>
			this.#write(id, true, async ({ folder, file }) => {
				if (String(file.version) !== version) return false;
				if (head.state === 'active' && file.head.state !== 'active') {
					await this.#checkLimits(head, { perOwner: limits.perOwner });
				}
				const lastUsedAt = Math.max(head.lastUsedAt, file.head.lastUsedAt);
				await folder.writeHead({ version: file.version + 1, head: { ...head, lastUsedAt } });
				return true;
			});
		// Two that become active at once must not both be the last that is allowed.
		const written =
			limits.perOwner !== undefined && head.state === 'active' ? this.#exclusively('create', work) : work();
		return (await written) ?? false;
	}

	override async touch(id: string, usedAt: number): Promise<boolean> {
		const touched = await this.#write(id, false, async ({ folder, file }) => {
			if (usedAt > file.head.lastUsedAt) {
				await folder.writeHead({ version: file.version, head: { ...file.head, lastUsedAt: usedAt } });
			}
			return true;
		});
		return touched ?? false;
	}

	override async delete(id: string): Promise<boolean> {
		await this.#open();
		const name = folderNameOf(id);
		const trash = join(this.#root, `.deleted-${randomUUID()}`);
		const deleted = await this.#folders.use(name, (folder) =>
			this.#lock.hold(folder.lock, async () => {
				await folder.moveTo(trash);
				return true;
			}),
		);
		this.#folders.drop(name);
		if (deleted === undefined) await this.#checkRoot();
		await rm(trash, { recursive: true, force: true });
		return deleted ?? false;
	}

	override async append(id: string, messages: readonly NewMessage[], room?: HistoryRoom): Promise<number | undefined> {
		return this.#write(id, false, async ({ folder }) => {
			const { last } = await folder.messages.load();
			if (messages.length > 0) {
				await folder.messages.append(messages.map((message, index) => ({ ...message, number: last + 1 + index })));
			}
			// The messages are stored: that the archive has no room now is no reason to have them sent again.
			if (room !== undefined) await folder.messages.makeRoom(room).catch((error) => this.onerror?.(error));
			return last + 1;
		});
	}

	override async messages(id: string, range: Range): Promise<readonly Message[]> {
		return (await this.#read(id, async (folder) => (await folder.readHead()) && folder.messages.read(range))) ?? [];
	}

	override async setContext(
		id: string,
		key: string,
		expected: string | undefined,
		write: ContextWrite | undefined,
		maxBytes?: number,
	): Promise<ContextWritten | false> {
		const written = await this.#write(id, false, async ({ folder }): Promise<ContextWritten | false> => {
			const change = (await folder.context.load()).plan(key, expected, write, maxBytes);
			if (change === false) return false;
			await this.#change(folder, change);
			if ('removed' in change) return { archived: [] };
			return { version: String(change.version), archived: ('archived' in change && change.archived) || [] };
		});
		return written ?? false;
	}

	override async context(id: string, keys?: readonly string[]): Promise<readonly ContextEntry[]> {
		const table = await this.#read(id, async (folder) => (await folder.readHead()) && folder.context.load());
		return table === undefined ? [] : entriesOf(table, keys);
	}

	override async touchContext(id: string, keys: readonly string[], at: number): Promise<boolean> {
		const touched = await this.#write(id, false, async ({ folder }) => {
			const change = (await folder.context.load()).planUse(keys, at);
			if (change !== undefined) await this.#change(folder, change);
			return true;
		});
		return touched ?? false;
	}

	override async addDiscovery(id: string, discovery: NewDiscovery): Promise<number | undefined> {
		return this.#write(id, false, async ({ folder }) => {
			const number = (await folder.discoveries()).length + 1;
			await folder.addDiscovery({ ...discovery, number });
			return number;
		});
	}

	override async discoveries(id: string, range: Range): Promise<readonly Discovery[]> {
		const found = await this.#read(id, async (folder) => (await folder.readHead()) && folder.discoveries());
		return inside(found ?? [], range);
	}

	override async counts(id: string): Promise<ConversationCounts | undefined> {
		return this.#read(id, async (folder) => (await folder.readHead()) && folder.counts());
	}

	override async eraseAuthor(id: string, principal: string): Promise<number> {
		const erased = await this.#write(id, true, async ({ folder }) => {
			const text = { content: ERASED, metadata: undefined, by: undefined };
			let count = await folder.messages.rewrite((each) => (each.by === principal ? { ...each, ...text } : each));
			const discoveries = await folder.discoveries();
			const theirs = discoveries.filter(({ by }) => by === principal).length;
			if (theirs > 0) {
				const gone = { title: ERASED, description: ERASED, by: undefined };
				await folder.replaceDiscoveries(
					discoveries.map((each) => (each.by === principal ? { ...each, ...gone } : each)),
				);
			}
			const change = (await folder.context.load()).planErasure(principal);
			if (change !== undefined && 'removed' in change) {
				await folder.context.store(change);
				count += change.removed.length;
			}
			// Earlier changes of the log hold values that are erased by now, or were replaced.
			await folder.context.fold(true);
			await removeLeftovers(folder.path);
			return count + theirs;
		});
		return erased ?? 0;
	}

	override async search(request: SearchRequest): Promise<readonly SearchCandidate[]> {
		await this.#open();
		const found: SearchCandidate[] = [];
		const names = request.conversation === undefined ? await this.#names() : [folderNameOf(request.conversation)];
		for (const name of names) {
			found.push(...((await this.#tolerant(() => this.#searchIn(name, request))) ?? []));
		}
		return found.sort((one, other) => other.score - one.score).slice(0, Math.max(0, request.limit));
	}

	override async list(
		filter: ConversationFilter,
		cursor: string | undefined,
		limit: number,
	): Promise<ConversationPage> {
		await this.#open();
		const conversations: StoredConversation[] = [];
		let last: string | undefined;
		for (const name of await this.#names()) {
			if (cursor !== undefined && name <= cursor) continue;
			const stored = await this.#tolerant(() => this.#folderOf(name).read());
			if (stored === undefined || !matches(stored.head, filter)) continue;
			if (conversations.length === Math.max(1, limit)) return { conversations, cursor: last };
			conversations.push(stored);
			last = name;
		}
		return { conversations };
	}

	/**
	 * Makes a corrupt conversation usable again. What is damaged is kept aside under another name; a message that is lost
	 * leaves one in its place that says so. Returns the names of the files that were repaired, none where all is well.
	 *
	 * @example
	 * ```ts source="../../test/examples/stores.examples.ts#repair"
	 * const repaired = await store.repair('debug-memory-leak');
	 * ```
	 */
	async repair(id: string): Promise<readonly string[]> {
		await this.#open();
		const name = folderNameOf(id);
		const repaired = await this.#folders.use(name, (folder) =>
			this.#lock.hold(folder.lock, () => repairFolder(folder.path, id, Date.now())),
		);
		this.#folders.drop(name);
		return repaired ?? [];
	}

	override release(id: string): void {
		this.#folders.drop(folderNameOf(id));
	}

	override async close(): Promise<void> {
		if (this.#closed) return;
		this.#closed = true;
		await this.#opened?.catch(() => undefined);
		await this.#folders.idle();
		await this.#mark.close();
	}

	/** Reads a conversation; `undefined` where `work` finds none. */
	async #read<T>(id: string, work: (folder: ConversationFolder) => Promise<T | undefined>): Promise<T | undefined> {
		await this.#open();
		const found = await this.#folders.use(folderNameOf(id), work);
		if (found === undefined) await this.#checkRoot();
		return found;
	}

	/** Writes a conversation; `undefined` where it is unknown, or has ended and `evenEnded` is not set. */
	async #write<T>(id: string, evenEnded: boolean, work: (opened: Opened) => Promise<T>): Promise<T | undefined> {
		await this.#open();
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

	async #locked<T>(folder: ConversationFolder, work: () => Promise<T>): Promise<T | undefined> {
		try {
			return await this.#lock.hold(folder.lock, work);
		} catch (error) {
			throw diskError(error, folder.path);
		}
	}

	/** Runs `work` while no other process does something of the same `name`. */
	async #exclusively<T>(name: string, work: () => Promise<T>): Promise<T> {
		return this.#folders.alone(`.${name}`, async () => {
			const done = await this.#lock.hold(join(this.#root, `.${name}.lock`), async () => ({ result: await work() }));
			if (done === undefined) throw this.#gone();
			return done.result;
		});
	}

	async #change(folder: ConversationFolder, change: ContextChange): Promise<void> {
		await folder.context.store(change);
		// The change is stored: folding is housekeeping.
		await folder.context.fold().catch((error) => this.onerror?.(error));
	}

	async #searchIn(name: string, request: SearchRequest): Promise<SearchCandidate[]> {
		const head = (await this.#folderOf(name).readHead())?.head;
		if (head === undefined || !isSearched(head, request)) return [];
		return this.#folders.glance(name, async (folder) => {
			const messages = await folder.messages.read({ limit: Number.POSITIVE_INFINITY });
			const { entries: context } = await folder.context.load();
			return candidatesIn({ id: head.id, messages, context, discoveries: await folder.discoveries() }, request);
		});
	}

	/** The folder by itself, to read its head: that needs no turn, and none is free where heads are counted. */
	#folderOf(name: string): ConversationFolder {
		return new ConversationFolder(join(this.#root, name));
	}

	/** Goes on without what is damaged. */
	async #tolerant<T>(work: () => Promise<T>): Promise<T | undefined> {
		try {
			return await work();
		} catch (error) {
			if (!(error instanceof ConversationError) || error.code !== 'corrupt') throw error;
			this.onerror?.(error);
			return undefined;
		}
	}

	async #checkLimits(head: ConversationHead, limits: StoreLimits): Promise<void> {
		if (limits.perOwner === undefined && limits.total === undefined) return;
		const heads: ConversationHead[] = [];
		for (const name of await this.#names()) {
			const file = await this.#tolerant(() => this.#folderOf(name).readHead());
			if (file !== undefined && file.head.id !== head.id) heads.push(file.head);
		}
		checkLimits(head, heads, limits);
	}

	async #names(): Promise<string[]> {
		try {
			return (await readdir(this.#root)).filter((name) => !name.startsWith('.')).sort();
		} catch (error) {
			throw diskError(error, this.#root);
		}
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

	#open(): Promise<void> {
		if (this.#closed) return Promise.reject(new ConversationError('closed', 'The store is closed.'));
		this.#opened ??= this.#start().catch((error) => {
			this.#opened = undefined;
			throw error;
		});
		return this.#opened;
	}

	async #start(): Promise<void> {
		await makeFolder(this.#root);
		await this.#mark.open();
		await this.#removeUnfinished();
	}

	/** Removes what processes left that ended while they created or deleted. */
	async #removeUnfinished(): Promise<void> {
		const names = (await readdir(this.#root)).filter((name) => name.startsWith('.deleted-'));
		for (const name of names) await rm(join(this.#root, name), { recursive: true, force: true });
	}

	/** A folder that is gone as a whole, as when a disk is not mounted, does not mean that there are no conversations. */
	async #checkRoot(): Promise<void> {
		if (!(await this.#exists(join(this.#root, '.processes')))) throw this.#gone();
	}

	#gone(): ConversationError {
		return new ConversationError('unavailable', `The folder ${this.#root} is not there: is its disk mounted?`);
	}
}

function entriesOf(table: ContextTable, keys: readonly string[] | undefined): ContextEntry[] {
	if (keys === undefined) return [...table.entries];
	return [...new Set(keys)].map((key) => table.get(key)).filter((entry) => entry !== undefined);
}
