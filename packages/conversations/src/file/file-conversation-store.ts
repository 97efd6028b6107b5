import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { checkOptions, count, ms, type OptionSchemas, shown } from '@holdfast/session-manager/internal';
import { ConversationError } from '../contract/conversation-error.js';
import {
	type ContextEntry,
	type ContextWrite,
	type ConversationCounts,
	type ConversationHead,
	type Discovery,
	ERASED,
	erasedDiscovery,
	type Message,
	mayWrite,
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
	type WriterUse,
} from '../contract/conversation-store.js';
import type { SearchCandidate, SearchRequest } from '../contract/search-request.js';
import { best, matching } from '../store/best-matches.js';
import type { ContextChange, ContextTable } from '../store/context-table.js';
import { inside } from '../store/inside.js';
import { checkLimits, isSearched, matches } from '../store/matches.js';
import { textsIn } from '../store/searched-texts.js';
import { ConversationFolder } from './conversation-folder.js';
import { ConversationsFolder } from './conversations-folder.js';
import { folderNameOf, idOfFolder } from './folder-name.js';
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

const schemas: OptionSchemas<FileConversationStoreOptions> = { maxCached: count, lockTimeoutMs: ms };

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
	readonly #root: ConversationsFolder;

	/** Throws `TypeError` where an argument cannot work. `root` is the folder. */
	constructor(root: string, options: FileConversationStoreOptions = {}) {
		super();
		checkOptions('FileConversationStore', schemas, options);
		if (typeof root !== 'string' || root === '')
			throw new TypeError(`FileConversationStore needs the path of a folder first, not ${shown(root)}.`);
		const { lockTimeoutMs = 10_000, maxCached = 100 } = options;
		this.#root = new ConversationsFolder(root, lockTimeoutMs, maxCached);
	}

	override async create(head: ConversationHead, limits: StoreLimits = {}): Promise<boolean> {
		await this.#root.open();
		const prepared = this.#root.newPath();
		await ConversationFolder.prepare(prepared, head);
		try {
			return await this.#root.add(head.id, prepared, () => this.#checkLimits(head, limits));
		} finally {
			await rm(prepared, { recursive: true, force: true });
		}
	}

	override async read(id: string): Promise<StoredConversation | undefined> {
		return this.#root.read(id, (folder) => folder.read());
	}

	override async write(
		id: string,
		version: string,
		head: ConversationHead,
		limits: StoreLimits = {},
	): Promise<boolean> {
		const work = () =>
			this.#root.write(id, true, async ({ folder, file }) => {
				if (String(file.version) !== version) return false;
				if (head.state === 'active' && file.head.state !== 'active') {
					await this.#checkLimits(head, { perOwner: limits.perOwner });
				}
				const lastUsedAt = Math.max(head.lastUsedAt, file.head.lastUsedAt);
				await folder.writeHead(
					{ version: file.version + 1, head: { ...head, lastUsedAt } },
					isForgetting(file.head, head),
				);
				return true;
			});
		// Two that become active at once must not both be the last that is allowed.
		const written =
			limits.perOwner !== undefined && head.state === 'active' ? this.#root.exclusively('create', work) : work();
		return (await written) ?? false;
	}

	override async writeUnused(
		id: string,
		version: string,
		head: ConversationHead,
		unusedSince: number,
	): Promise<boolean> {
		const written = await this.#root.write(id, true, async ({ folder, file }) => {
			if (String(file.version) !== version || file.head.lastUsedAt >= unusedSince) return false;
			await folder.writeHead({ version: file.version + 1, head });
			return true;
		});
		return written ?? false;
	}

	override async touch(id: string, usedAt: number): Promise<boolean> {
		const touched = await this.#root.write(id, false, async ({ folder, file }) => {
			if (usedAt > file.head.lastUsedAt) {
				await folder.writeHead({ version: file.version, head: { ...file.head, lastUsedAt: usedAt } });
			}
			return true;
		});
		return touched ?? false;
	}

	override delete(id: string): Promise<boolean> {
		return this.#delete(id, async () => true);
	}

	override deleteUnused(id: string, unusedSince: number): Promise<boolean> {
		return this.#delete(id, async (folder) => {
			const file = await folder.readHead();
			return file !== undefined && file.head.lastUsedAt < unusedSince;
		});
	}

	override async append(id: string, messages: readonly NewMessage[], room?: HistoryRoom): Promise<number | undefined> {
		return this.#root.write(id, false, ({ folder }) => this.#append(folder, messages, room));
	}

	override async appendAs(
		id: string,
		messages: readonly NewMessage[],
		room: HistoryRoom,
		{ writer, maxBytes, at, intervalMs }: WriterUse,
	): Promise<number | false | undefined> {
		return this.#root.write(id, false, async ({ folder, file: { version, head } }) => {
			if (!mayWrite(head, writer) || (await folder.counts()).bytes >= maxBytes) return false;
			if (at - head.lastUsedAt >= intervalMs) await folder.writeHead({ version, head: { ...head, lastUsedAt: at } });
			return this.#append(folder, messages, room);
		});
	}

	override async messages(id: string, range: Range): Promise<readonly Message[]> {
		return (
			(await this.#root.read(id, async (folder) => (await folder.readHead()) && folder.messages.read(range))) ?? []
		);
	}

	override async setContext(
		id: string,
		key: string,
		expected: string | undefined,
		write: ContextWrite | undefined,
		maxBytes?: number,
		writer?: string,
	): Promise<ContextWritten | false> {
		const written = await this.#root.write(id, false, async ({ folder, file }): Promise<ContextWritten | false> => {
			if (writer !== undefined && !mayWrite(file.head, writer)) return false;
			const change = (await folder.context.begin()).plan(key, expected, write, maxBytes);
			if (change === false) return false;
			await this.#change(folder, change);
			if ('removed' in change) return { archived: [] };
			return { version: String(change.version), archived: ('archived' in change && change.archived) || [] };
		});
		return written ?? false;
	}

	override async context(id: string, keys?: readonly string[]): Promise<readonly ContextEntry[]> {
		const table = await this.#root.read(id, async (folder) => (await folder.readHead()) && folder.context.load());
		return table === undefined ? [] : entriesOf(table, keys);
	}

	override async touchContext(id: string, keys: readonly string[], at: number): Promise<boolean> {
		const touched = await this.#root.write(id, false, async ({ folder }) => {
			const change = (await folder.context.load()).planUse(keys, at);
			if (change !== undefined) await this.#change(folder, change);
			return true;
		});
		return touched ?? false;
	}

	override async addDiscovery(id: string, discovery: NewDiscovery, writer?: string): Promise<number | undefined> {
		return this.#root.write(id, false, async ({ folder, file }) => {
			if (writer !== undefined && !mayWrite(file.head, writer)) return undefined;
			const number = (await folder.discoveries()).length + 1;
			await folder.addDiscovery({ ...discovery, number });
			return number;
		});
	}

	override async discoveries(id: string, range: Range): Promise<readonly Discovery[]> {
		const found = await this.#root.read(id, async (folder) => (await folder.readHead()) && folder.discoveries());
		return inside(found ?? [], range);
	}

	override async counts(id: string): Promise<ConversationCounts | undefined> {
		return this.#root.read(id, async (folder) => (await folder.readHead()) && folder.counts());
	}

	override async eraseAuthor(id: string, principal: string): Promise<number> {
		const erased = await this.#root.write(id, true, async ({ folder }) => {
			const text = { content: ERASED, metadata: undefined, by: undefined };
			let count = await folder.messages.rewrite((each) => (each.by === principal ? { ...each, ...text } : each));
			const discoveries = await folder.discoveries();
			const theirs = discoveries.filter(({ by }) => by === principal).length;
			if (theirs > 0) {
				await folder.replaceDiscoveries(
					discoveries.map((each) => (each.by === principal ? erasedDiscovery(each) : each)),
				);
			}
			const change = (await folder.context.load()).planErasure(principal);
			if (change !== undefined && 'removed' in change) {
				await folder.context.store(change);
				count += change.removed.length;
			}
			// Earlier changes of the log hold values that are erased by now, or were replaced.
			await folder.context.fold(true);
			await folder.removeLeftovers();
			return count + theirs;
		});
		return erased ?? 0;
	}

	override async search(request: SearchRequest): Promise<readonly SearchCandidate[]> {
		await this.#root.open();
		let found: SearchCandidate[] = [];
		const names = request.conversation === undefined ? await this.#root.names() : [folderNameOf(request.conversation)];
		for (const name of names) {
			const candidates = await this.#tolerant(() => this.#searchIn(name, request));
			// What is not among the best is not kept until all are read.
			if (candidates !== undefined && candidates.length > 0) found = best(found.concat(candidates), request.limit);
		}
		return found;
	}

	override async list(
		filter: ConversationFilter,
		cursor: string | undefined,
		limit: number,
	): Promise<ConversationPage> {
		await this.#root.open();
		const conversations: StoredConversation[] = [];
		const damaged: string[] = [];
		let last: string | undefined;
		for (const name of await this.#root.names()) {
			if (cursor !== undefined && name <= cursor) continue;
			if (conversations.length === Math.max(1, limit)) return { conversations, damaged, cursor: last };
			const stored = await this.#tolerant(
				() => this.#root.folderOf(name).read(),
				() => damaged.push(idOfFolder(name)),
			);
			last = name;
			if (stored !== undefined && matches(stored.head, filter)) conversations.push(stored);
		}
		return { conversations, damaged };
	}

	/**
	 * Makes a corrupt conversation usable again. What is damaged is kept aside under another name; a message that is lost
	 * leaves one in its place that says so. Returns the names of the files that were repaired, none where all is well;
	 * `undefined` for a conversation that is not there.
	 *
	 * @example
	 * ```ts source="../../test/examples/stores.examples.ts#repair"
	 * const repaired = await store.repair('debug-memory-leak');
	 * ```
	 */
	repair(id: string): Promise<readonly string[] | undefined> {
		return this.#root.mend(id, (folder) => repairFolder(folder.path, id, Date.now()));
	}

	override release(id: string): void {
		this.#root.release(id);
	}

	override close(): Promise<void> {
		return this.#root.close();
	}

	async #append(folder: ConversationFolder, messages: readonly NewMessage[], room?: HistoryRoom): Promise<number> {
		const { last } = await folder.messages.load();
		if (messages.length > 0) {
			await folder.messages.append(messages.map((message, index) => ({ ...message, number: last + 1 + index })));
		}
		// The messages are stored: that the archive has no room now is no reason to have them sent again.
		if (room !== undefined) await folder.messages.makeRoom(room).catch((error) => this.onerror?.(error));
		return last + 1;
	}

	async #delete(id: string, isMeant: (folder: ConversationFolder) => Promise<boolean>): Promise<boolean> {
		const trash = this.#root.pathOf(`.deleted-${randomUUID()}`);
		const deleted = await this.#root.remove(id, trash, isMeant);
		await rm(trash, { recursive: true, force: true });
		return deleted;
	}

	async #change(folder: ConversationFolder, change: ContextChange): Promise<void> {
		await folder.context.store(change);
		// The change is stored: folding is housekeeping.
		await folder.context.fold().catch((error) => this.onerror?.(error));
	}

	async #searchIn(name: string, request: SearchRequest): Promise<SearchCandidate[]> {
		const head = (await this.#root.folderOf(name).readHead())?.head;
		if (head === undefined || !isSearched(head, request)) return [];
		return this.#root.glance(name, async (folder) => {
			const messages = await folder.messages.read({ limit: Number.POSITIVE_INFINITY });
			const { entries: context } = await folder.context.load();
			const searched = { id: head.id, messages, context, discoveries: await folder.discoveries() };
			return matching(textsIn(searched, request), request);
		});
	}

	/** Goes on without what is damaged. */
	async #tolerant<T>(work: () => Promise<T>, ondamage?: () => void): Promise<T | undefined> {
		try {
			return await work();
		} catch (error) {
			if (!(error instanceof ConversationError) || error.code !== 'corrupt') throw error;
			ondamage?.();
			this.onerror?.(error);
			return undefined;
		}
	}

	async #checkLimits(head: ConversationHead, limits: StoreLimits): Promise<void> {
		if (Object.values(limits).every((limit) => limit === undefined)) return;
		const heads: ConversationHead[] = [];
		for (const name of await this.#root.names()) {
			const file = await this.#tolerant(() => this.#root.folderOf(name).readHead());
			if (file !== undefined && file.head.id !== head.id) heads.push(file.head);
		}
		checkLimits(head, heads, limits);
	}
}

/** Returns whether somebody is in a head, and not in the one that follows. */
function isForgetting(before: ConversationHead, after: ConversationHead): boolean {
	return before.members.some(({ principal }) => !after.members.some((member) => member.principal === principal));
}

function entriesOf(table: ContextTable, keys: readonly string[] | undefined): ContextEntry[] {
	if (keys === undefined) return [...table.entries];
	return [...new Set(keys)].map((key) => table.get(key)).filter((entry) => entry !== undefined);
}
