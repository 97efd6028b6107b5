import { Buffer } from 'node:buffer';
import {
	type ContextEntry,
	type ContextWrite,
	type ContextWritten,
	type ConversationCounts,
	type ConversationFilter,
	type ConversationHead,
	type ConversationPage,
	type ConversationState,
	ConversationStore,
	type Discovery,
	type HistoryRoom,
	type Message,
	mayWrite,
	messagesToArchive,
	type NewDiscovery,
	type NewMessage,
	type Range,
	rethrow,
	type SearchCandidate,
	type SearchRequest,
	type StoredConversation,
	type StoreLimits,
	textOfContent,
	textOfDiscovery,
	tolerant,
	tooMany,
	tooManyKept,
	tooManyOf,
	type WriterUse,
} from '@holdfast/conversations/custom';
import { isThenable, type MaybePromise } from '@holdfast/session-manager/custom';
import { bound, type Row, type SqliteConnection, textOf } from '../file/connection.js';
import type { SqliteSource } from '../file/driver.js';
import { checkSource } from '../source.js';
import { SqliteStore } from '../store.js';
import { writeValue } from './context-values.js';
import { abandon, clearSome } from './delete-steps.js';
import { eraseSome } from './erase-author.js';
import { outcomeOf, settled } from './outcome.js';
import { placeOf } from './places.js';
import { discoveryOf, entryOf, headText, keyOf, messageOf, storedOf, versionOf } from './rows.js';
import { SearchTurns } from './search-turns.js';
import { contextStatements, discoveryStatements, headStatements, messageStatements } from './statements.js';
import { addWords } from './words.js';

const STATES: readonly ConversationState[] = ['active', 'suspended', 'terminated'];
/** SQLite has no larger number of rows. */
const NO_LIMIT = 2 ** 52;

/**
 * Keeps conversations in one SQLite file, for every process of one host, with an index of all words. They survive
 * restarts. The file may be that of the session managers; it opens on first use.
 *
 * @example
 * ```ts source="../../test/examples/sqlite-conversation-store.examples.ts#options"
 * const store = new SqliteConversationStore('./conversations.db');
 * store.onerror = report;
 * const conversations = new Conversations(store);
 * ```
 */
export class SqliteConversationStore extends ConversationStore {
	readonly #store: SqliteStore;
	readonly #onerror = (error: Error) => this.onerror?.(error);
	readonly #searches = new SearchTurns((work) => this.#read(work), this.#onerror);
	/** Whether it has looked for what was left of deleted conversations. */
	#hasCleared = false;

	/** `source` is the path of the file, or an open connection to it, which remains the caller's. */
	constructor(source: SqliteSource) {
		super();
		checkSource('SqliteConversationStore', source);
		this.#store = SqliteStore.use(source, this.#onerror);
	}

	override create(head: ConversationHead, limits: StoreLimits = {}): Promise<boolean> {
		return this.#write((db) => {
			if (db.get(headStatements.read, bound(head.id)) !== undefined) return false;
			const { total, keptPerOwner } = limits;
			if (
				keptPerOwner !== undefined &&
				Number(db.get(headStatements.countKept, bound(head.owner))?.['n']) >= keptPerOwner
			)
				throw tooManyKept(keptPerOwner);
			if (total !== undefined && Number(db.get(headStatements.countLiving)?.['n']) >= total) throw tooMany(total);
			checkOwned(db, head, limits);
			db.run(headStatements.insert, bound(head.id), bound(head.owner), head.state, headText(head), head.lastUsedAt);
			setMembers(db, keyOf(db.get(headStatements.read, bound(head.id))), head);
			return true;
		});
	}

	override read(id: string): MaybePromise<StoredConversation | undefined> {
		return this.#read((db) => {
			const row = db.get(headStatements.read, bound(id));
			return row && storedOf(row);
		});
	}

	override write(id: string, version: string, head: ConversationHead, limits: StoreLimits = {}): Promise<boolean> {
		return this.#write((db) => {
			const row = db.get(headStatements.read, bound(id));
			return row !== undefined && writeHead(db, row, version, head, limits);
		});
	}

	override writeUnused(id: string, version: string, head: ConversationHead, unusedSince: number): Promise<boolean> {
		return this.#write((db) => {
			const row = db.get(headStatements.read, bound(id));
			if (row === undefined || Number(row['used_at']) >= unusedSince) return false;
			return writeHead(db, row, version, head);
		});
	}

	override touch(id: string, usedAt: number): Promise<boolean> {
		return this.#change(id, false, (db, row) => {
			if (usedAt > Number(row['used_at'])) db.run(headStatements.touch, usedAt, keyOf(row));
			return true;
		});
	}

	override delete(id: string): Promise<boolean> {
		return this.deleteUnused(id, Number.POSITIVE_INFINITY);
	}

	override async deleteUnused(id: string, unusedSince: number): Promise<boolean> {
		const deleted = await this.#write((db) => abandon(db, id, unusedSince));
		await this.#clear();
		return deleted;
	}

	override append(id: string, messages: readonly NewMessage[], room?: HistoryRoom): Promise<number | undefined> {
		return this.#change(id, undefined, (db, row) => appendMessages(db, row, messages, room));
	}

	override appendAs(
		id: string,
		messages: readonly NewMessage[],
		room: HistoryRoom,
		{ writer, maxBytes, at, intervalMs }: WriterUse,
	): Promise<number | false | undefined> {
		return this.#change(id, undefined, (db, row, head) => {
			if (!mayWrite(head, writer) || Number(row['bytes']) >= maxBytes) return false;
			if (at - head.lastUsedAt >= intervalMs) db.run(headStatements.touch, at, keyOf(row));
			return appendMessages(db, row, messages, room);
		});
	}

	override messages(id: string, range: Range): MaybePromise<readonly Message[]> {
		return this.#ranged(id, range, messageStatements, (row, conversation) =>
			messageOf(row, Number(conversation['archived'])),
		);
	}

	override setContext(
		id: string,
		key: string,
		expected: string | undefined,
		write: ContextWrite | undefined,
		maxBytes?: number,
		writer?: string,
	): Promise<ContextWritten | false> {
		return this.#change(id, false, (db, row, head): ContextWritten | false =>
			writer === undefined || mayWrite(head, writer) ? writeValue(db, row, { key, expected, write, maxBytes }) : false,
		);
	}

	override context(id: string, keys?: readonly string[]): MaybePromise<readonly ContextEntry[]> {
		return this.#read((db) => {
			const row = db.get(headStatements.read, bound(id));
			if (row === undefined) return [];
			if (keys === undefined) return db.all(contextStatements.all, keyOf(row)).map(entryOf);
			return [...new Set(keys)]
				.map((key) => db.get(contextStatements.read, keyOf(row), bound(key)))
				.filter((found) => found !== undefined)
				.map(entryOf);
		});
	}

	override async liveContext(id: string): Promise<readonly ContextEntry[]> {
		return this.#read((db) => {
			const row = db.get(headStatements.read, bound(id));
			return row === undefined ? [] : db.all(contextStatements.live, keyOf(row)).map(entryOf);
		});
	}

	override touchContext(id: string, keys: readonly string[], at: number): Promise<boolean> {
		return this.#change(id, false, (db, row) => {
			for (const key of keys) db.run(contextStatements.touch, at, keyOf(row), bound(key), at);
			return true;
		});
	}

	override addDiscovery(id: string, discovery: NewDiscovery, writer?: string): Promise<number | undefined> {
		return this.#change(id, undefined, (db, row, head) => {
			if (writer !== undefined && !mayWrite(head, writer)) return undefined;
			const [key, number] = [keyOf(row), Number(row['discoveries']) + 1];
			const body = JSON.stringify({ ...discovery, number });
			const place = placeOf(key, number);
			db.run(discoveryStatements.insert, place, byOf(discovery), body);
			addWords(db, 'discovery', place, textOfDiscovery(discovery));
			db.run(headStatements.discovered, number, Buffer.byteLength(body), key);
			return number;
		});
	}

	override discoveries(id: string, range: Range): MaybePromise<readonly Discovery[]> {
		return this.#ranged(id, range, discoveryStatements, discoveryOf);
	}

	override counts(id: string): MaybePromise<ConversationCounts | undefined> {
		return this.#read((db) => {
			const row = db.get(headStatements.read, bound(id));
			if (row === undefined) return undefined;
			const context = db.get(contextStatements.counts, keyOf(row));
			return {
				messages: Number(row['messages']),
				archivedMessages: Number(row['archived']),
				context: Number(context?.['live']),
				contextBytes: Number(context?.['live_bytes']),
				archivedContext: Number(context?.['archived']),
				discoveries: Number(row['discoveries']),
				bytes: Number(row['bytes']),
			};
		});
	}

	override async eraseAuthor(id: string, principal: string): Promise<number> {
		let erased = 0;
		for (let from: number | undefined; ; ) {
			const begin = from;
			// Each step is a transaction in another turn of the event loop.
			const step = await this.#write((db) => {
				const row = db.get(headStatements.read, bound(id));
				return row && eraseSome(db, row, principal, begin);
			});
			erased += step?.erased ?? 0;
			from = step?.next;
			if (from === undefined) return erased;
		}
	}

	override search(request: SearchRequest): Promise<readonly SearchCandidate[]> {
		return this.#searches.run(request);
	}

	override list(filter: ConversationFilter, cursor: string | undefined, limit: number): MaybePromise<ConversationPage> {
		return this.#read((db) => {
			const { principal, states = STATES, unusedSince = null } = filter;
			const size = Math.max(1, limit);
			const values = [Number(cursor ?? 0), JSON.stringify(states), unusedSince, unusedSince, size + 1];
			const rows =
				principal === undefined
					? db.all(headStatements.list, ...values)
					: db.all(headStatements.listOf, bound(principal), ...values);
			const page = rows.slice(0, size);
			const conversations: StoredConversation[] = [];
			const damaged: string[] = [];
			for (const row of page) {
				const stored = tolerant(() => storedOf(row), this.#onerror);
				if (stored === undefined) damaged.push(textOf(row['id']));
				else conversations.push(stored);
			}
			const last = page.at(-1);
			return { conversations, damaged, ...(rows.length > size && last && { cursor: String(keyOf(last)) }) };
		});
	}

	override async close(): Promise<void> {
		await this.#store.release(this.#onerror);
	}

	#ranged<T>(
		id: string,
		{ before = NO_LIMIT, after = 0, limit, maxBytes = NO_LIMIT }: Range,
		statements: typeof messageStatements,
		parsed: (row: Row, conversation: Row) => T,
	): MaybePromise<readonly T[]> {
		return this.#read((db) => {
			const conversation = db.get(headStatements.read, bound(id));
			if (conversation === undefined || limit <= 0) return [];
			const [first, next] = [placeOf(keyOf(conversation), after), placeOf(keyOf(conversation), before)];
			const most = Math.floor(Math.min(limit, NO_LIMIT));
			// A text is not read for its length.
			const oldest = maxBytes < NO_LIMIT ? db.get(statements.fitting, first, next, most, maxBytes) : undefined;
			const rows = db.all(statements.read, oldest === undefined ? first : Number(oldest['key']) - 1, next, most);
			return rows.map((row) => parsed(row, conversation)).reverse();
		});
	}

	/** Removes what is left of deleted conversations. */
	async #clear(): Promise<void> {
		this.#hasCleared = true;
		try {
			if ((await this.#store.read((db) => db.get(headStatements.abandoned))) === undefined) return;
			while (await this.#store.write(({ db }) => clearSome(db))) {
				// Each step is a transaction in another turn of the event loop.
			}
		} catch (error) {
			this.#hasCleared = false;
			rethrow(error);
		}
	}

	/** A process may have died while it deleted one. What the file refuses is reported. */
	#clearOnce(): void {
		if (!this.#hasCleared) this.#clear().catch(() => {});
	}

	#read<T>(work: (db: SqliteConnection) => T): MaybePromise<T> {
		this.#clearOnce();
		try {
			const outcome = this.#store.read((db) => outcomeOf(() => work(db)));
			return isThenable(outcome) ? Promise.resolve(outcome).then(settled, rethrow) : settled(outcome);
		} catch (error) {
			return rethrow(error);
		}
	}

	/** Writes. What `work` refuses, it must refuse before it writes: other calls are in the same transaction. */
	#write<T>(work: (db: SqliteConnection) => T): Promise<T> {
		this.#clearOnce();
		return this.#store.write(({ db }) => outcomeOf(() => work(db))).then(settled, rethrow);
	}

	/** Writes a conversation that exists and has not ended; otherwise returns `none`. */
	#change<T, None>(
		id: string,
		none: None,
		work: (db: SqliteConnection, row: Row, head: ConversationHead) => T,
	): Promise<T | None> {
		return this.#write((db) => {
			const row = db.get(headStatements.read, bound(id));
			if (row === undefined) return none;
			const { head } = storedOf(row);
			return head.state === 'terminated' ? none : work(db, row, head);
		});
	}
}

/** Appends messages to the conversation of `row`. See `ConversationStore.append`. */
function appendMessages(
	db: SqliteConnection,
	row: Row,
	messages: readonly NewMessage[],
	room: HistoryRoom | undefined,
): number {
	const key = keyOf(row);
	const before = Number(row['messages']);
	let bytes = 0;
	for (const [index, message] of messages.entries()) {
		const number = before + 1 + index;
		const body = JSON.stringify({ ...message, number });
		bytes += Buffer.byteLength(body);
		const place = placeOf(key, number);
		db.run(messageStatements.insert, place, byOf(message), body);
		addWords(db, 'message', place, textOfContent(message.content));
	}
	const last = before + messages.length;
	const archived = Number(row['archived']);
	const moved = room === undefined ? 0 : messagesToArchive(last - archived, room);
	db.run(headStatements.appended, last, archived + moved, bytes, key);
	return before + 1;
}

function byOf({ by }: { readonly by?: string | undefined }): string | Uint8Array | null {
	return by === undefined ? null : bound(by);
}

/** Replaces the head of `row`. See `ConversationStore.write`. */
function writeHead(
	db: SqliteConnection,
	row: Row,
	version: string,
	head: ConversationHead,
	limits: StoreLimits = {},
): boolean {
	if (versionOf(row) !== version) return false;
	storedOf(row);
	if (row['state'] !== 'active') checkOwned(db, head, limits);
	const key = keyOf(row);
	const owner = bound(head.owner);
	db.run(headStatements.write, owner, owner, head.state, headText(head), head.lastUsedAt, key);
	setMembers(db, key, head);
	return true;
}

function checkOwned(db: SqliteConnection, head: ConversationHead, { perOwner }: StoreLimits): void {
	if (perOwner === undefined || head.state !== 'active') return;
	if (Number(db.get(headStatements.countOwned, bound(head.owner))?.['n']) >= perOwner) throw tooManyOf(perOwner);
}

function setMembers(db: SqliteConnection, key: number, { members }: ConversationHead): void {
	db.run(headStatements.removeMembers, key);
	for (const { principal, role } of members) {
		db.run(headStatements.addMember, bound(principal), key, role === 'former' ? 1 : 0);
	}
}
