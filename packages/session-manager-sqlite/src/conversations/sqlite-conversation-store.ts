import { Buffer } from 'node:buffer';
import {
	bytesOfEntry,
	type ContextEntry,
	type ContextWrite,
	type ContextWritten,
	type ConversationCounts,
	ConversationError,
	type ConversationFilter,
	type ConversationHead,
	type ConversationPage,
	ConversationStore,
	type Discovery,
	ERASED,
	type HistoryRoom,
	keysToArchive,
	type Message,
	messagesToArchive,
	type NewDiscovery,
	type NewMessage,
	type Range,
	type SearchCandidate,
	type SearchRequest,
	type StoredConversation,
	type StoreLimits,
	textOfContent,
	textOfDiscovery,
	textOfValue,
	tooMany,
	tooManyOf,
} from '@holdfast/conversations/custom';
import { isThenable, type MaybePromise, SessionManagerError } from '@holdfast/session-manager/custom';
import { bound, type Row, type SqliteConnection, textOf } from '../connection.js';
import type { SqliteSource } from '../driver.js';
import { checkSource } from '../source.js';
import { SqliteStore } from '../store.js';
import { entryOf, headText, parsedDiscovery, parsedMessage, storedOf } from './rows.js';
import {
	contextStatements,
	discoveryStatements,
	headStatements,
	messageStatements,
	wordStatements,
} from './statements.js';
import { addWords, removeWords, searchWords } from './words.js';

const STATES = JSON.stringify(['active', 'suspended', 'terminated']);
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

	/** `source` is the path of the file, or an open connection to it, which remains the caller's. */
	constructor(source: SqliteSource) {
		super();
		checkSource('SqliteConversationStore', source);
		this.#store = SqliteStore.use(source, this.#onerror);
	}

	override create(head: ConversationHead, limits: StoreLimits = {}): Promise<boolean> {
		return this.#write((db) => {
			if (db.get(headStatements.read, bound(head.id)) !== undefined) return false;
			const { total = Number.POSITIVE_INFINITY } = limits;
			if (Number(db.get(headStatements.countLiving)?.['n']) >= total) throw tooMany(total);
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
			if (row === undefined || String(row['version']) !== version) return false;
			storedOf(row);
			if (row['state'] !== 'active') checkOwned(db, head, limits);
			const key = keyOf(row);
			db.run(headStatements.write, bound(head.owner), head.state, headText(head), head.lastUsedAt, key);
			setMembers(db, key, head);
			return true;
		});
	}

	override touch(id: string, usedAt: number): Promise<boolean> {
		return this.#change(id, false, (db, row) => {
			if (usedAt > Number(row['used_at'])) db.run(headStatements.touch, usedAt, keyOf(row));
			return true;
		});
	}

	override delete(id: string): Promise<boolean> {
		return this.#write((db) => {
			const row = db.get(headStatements.read, bound(id));
			if (row === undefined) return false;
			const key = keyOf(row);
			db.run(wordStatements.deleteAll, key, key, key);
			for (const { delete: sql } of [messageStatements, contextStatements, discoveryStatements]) db.run(sql, key);
			db.run(headStatements.removeMembers, key);
			db.run(headStatements.delete, key);
			return true;
		});
	}

	override append(id: string, messages: readonly NewMessage[], room?: HistoryRoom): Promise<number | undefined> {
		return this.#change(id, undefined, (db, row) => {
			const key = keyOf(row);
			const before = Number(row['messages']);
			let bytes = 0;
			for (const [index, message] of messages.entries()) {
				const number = before + 1 + index;
				const body = JSON.stringify({ ...message, number });
				bytes += Buffer.byteLength(body);
				const added = db.get(messageStatements.insert, key, number, byOf(message), body);
				addWords(db, 'message', keyOf(added), key, textOfContent(message.content));
			}
			const last = before + messages.length;
			const archived = Number(row['archived']);
			const moved = room === undefined ? 0 : messagesToArchive(last - archived, room);
			db.run(headStatements.appended, last, archived + moved, bytes, key);
			return before + 1;
		});
	}

	override messages(id: string, range: Range): MaybePromise<readonly Message[]> {
		return this.#ranged(id, range, messageStatements.read, (row, conversation) => {
			const message = parsedMessage(row);
			return { ...message, archived: message.number <= Number(conversation['archived']) };
		});
	}

	override setContext(
		id: string,
		key: string,
		expected: string | undefined,
		write: ContextWrite | undefined,
		maxBytes?: number,
	): Promise<ContextWritten | false> {
		return this.#change(id, false, (db, row): ContextWritten | false => {
			const conversation = keyOf(row);
			const stored = db.get(contextStatements.read, conversation, bound(key));
			if (expected !== '*' && (stored === undefined ? undefined : String(stored['version'])) !== expected) return false;
			const version = Number(row['changes']) + 1;
			const freed = Number(stored?.['bytes'] ?? 0);
			const bytes = write === undefined ? 0 : bytesOfEntry(key, write.value);
			const archived =
				write === undefined || maxBytes === undefined
					? []
					: toArchive(db, conversation, { key, bytes, accessedAt: write.at }, maxBytes);
			if (stored !== undefined) removeEntry(db, keyOf(stored));
			db.run(headStatements.changed, version, bytes - freed, conversation);
			if (write === undefined) return { archived };
			const { value, at } = write;
			const [name, text] = [bound(key), JSON.stringify(value)];
			const addedAt = Number(stored?.['added_at'] ?? at);
			const statement = contextStatements.insert;
			const added = db.get(statement, conversation, name, version, text, bytes, addedAt, at, at, byOf(write));
			addWords(db, 'context', keyOf(added), conversation, textOfValue(key, value));
			for (const other of archived) db.run(contextStatements.archive, conversation, bound(other));
			return { version: String(version), archived };
		});
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

	override touchContext(id: string, keys: readonly string[], at: number): Promise<boolean> {
		return this.#change(id, false, (db, row) => {
			for (const key of keys) db.run(contextStatements.touch, at, keyOf(row), bound(key), at);
			return true;
		});
	}

	override addDiscovery(id: string, discovery: NewDiscovery): Promise<number | undefined> {
		return this.#change(id, undefined, (db, row) => {
			const [key, number] = [keyOf(row), Number(row['discoveries']) + 1];
			const body = JSON.stringify({ ...discovery, number });
			const added = db.get(discoveryStatements.insert, key, number, byOf(discovery), body);
			addWords(db, 'discovery', keyOf(added), key, textOfDiscovery(discovery));
			db.run(headStatements.discovered, number, Buffer.byteLength(body), key);
			return number;
		});
	}

	override discoveries(id: string, range: Range): MaybePromise<readonly Discovery[]> {
		return this.#ranged(id, range, discoveryStatements.read, parsedDiscovery);
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

	override eraseAuthor(id: string, principal: string): Promise<number> {
		return this.#write((db) => {
			const row = db.get(headStatements.read, bound(id));
			if (row === undefined) return 0;
			const [key, by] = [keyOf(row), bound(principal)];
			const messages = db.all(messageStatements.by, key, by);
			for (const message of messages) {
				const { by: _by, metadata: _metadata, ...rest } = parsedMessage(message);
				db.run(messageStatements.erase, JSON.stringify({ ...rest, content: ERASED }), keyOf(message));
				removeWords(db, 'message', keyOf(message));
				addWords(db, 'message', keyOf(message), key, ERASED);
			}
			const discoveries = db.all(discoveryStatements.by, key, by);
			for (const discovery of discoveries) {
				const { by: _by, ...rest } = parsedDiscovery(discovery);
				const body = JSON.stringify({ ...rest, title: ERASED, description: ERASED });
				db.run(discoveryStatements.erase, body, keyOf(discovery));
				removeWords(db, 'discovery', keyOf(discovery));
			}
			const entries = db.all(contextStatements.by, key, by);
			for (const entry of entries) removeEntry(db, keyOf(entry));
			const freed = entries.reduce((sum, { bytes }) => sum + Number(bytes), 0);
			db.run(headStatements.changed, Number(row['changes']) + 1, -freed, key);
			return messages.length + discoveries.length + entries.length;
		});
	}

	override search(request: SearchRequest): MaybePromise<readonly SearchCandidate[]> {
		return this.#read((db) => {
			const own =
				request.principal === undefined
					? undefined
					: db.all(wordStatements.scopes, bound(request.principal)).map(({ conversation }) => Number(conversation));
			const one =
				request.conversation === undefined ? undefined : db.get(headStatements.read, bound(request.conversation));
			if (request.conversation === undefined) return searchWords(db, request, own ?? []);
			if (one === undefined || (own !== undefined && !own.includes(keyOf(one)))) return [];
			return searchWords(db, request, [keyOf(one)]);
		});
	}

	override list(filter: ConversationFilter, cursor: string | undefined, limit: number): MaybePromise<ConversationPage> {
		return this.#read((db) => {
			const principal = filter.principal === undefined ? null : bound(filter.principal);
			const states = filter.states === undefined ? STATES : JSON.stringify(filter.states);
			const unused = filter.unusedSince ?? null;
			const size = Math.max(1, limit);
			const from = Number(cursor ?? 0);
			const rows = db.all(headStatements.list, from, principal, principal, states, unused, unused, size + 1);
			const page = rows.slice(0, size);
			const conversations = page.map((row) => this.#understood(row)).filter((stored) => stored !== undefined);
			const last = page.at(-1);
			return rows.length > size && last ? { conversations, cursor: String(keyOf(last)) } : { conversations };
		});
	}

	override async close(): Promise<void> {
		await this.#store.release(this.#onerror);
	}

	/** Goes on without what is damaged. */
	#understood(row: Row): StoredConversation | undefined {
		try {
			return storedOf(row);
		} catch (error) {
			this.onerror?.(error as Error);
			return undefined;
		}
	}

	#ranged<T>(
		id: string,
		{ before = NO_LIMIT, after = 0, limit }: Range,
		sql: string,
		parsed: (row: Row, conversation: Row) => T,
	): MaybePromise<readonly T[]> {
		return this.#read((db) => {
			const conversation = db.get(headStatements.read, bound(id));
			if (conversation === undefined || limit <= 0) return [];
			const rows = db.all(sql, keyOf(conversation), before, after, Math.min(limit, NO_LIMIT));
			return rows.map((row) => parsed(row, conversation)).reverse();
		});
	}

	#read<T>(work: (db: SqliteConnection) => T): MaybePromise<T> {
		try {
			const outcome = this.#store.read((db) => outcomeOf(() => work(db)));
			return isThenable(outcome) ? Promise.resolve(outcome).then(settled, rethrow) : settled(outcome);
		} catch (error) {
			return rethrow(error);
		}
	}

	/** Writes. What `work` refuses, it must refuse before it writes: other calls are in the same transaction. */
	#write<T>(work: (db: SqliteConnection) => T): Promise<T> {
		return this.#store.write(({ db }) => outcomeOf(() => work(db))).then(settled, rethrow);
	}

	/** Writes a conversation that exists and has not ended; otherwise returns `none`. */
	#change<T, None>(id: string, none: None, work: (db: SqliteConnection, row: Row) => T): Promise<T | None> {
		return this.#write((db) => {
			const row = db.get(headStatements.read, bound(id));
			if (row === undefined) return none;
			storedOf(row);
			return row['state'] === 'terminated' ? none : work(db, row);
		});
	}
}

function keyOf(row: Row | undefined): number {
	return Number(row?.['key']);
}

function byOf({ by }: { readonly by?: string | undefined }): string | Uint8Array | null {
	return by === undefined ? null : bound(by);
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

function removeEntry(db: SqliteConnection, key: number): void {
	removeWords(db, 'context', key);
	db.run(contextStatements.remove, key);
}

/** Reads the other values only where there is too little room: they may be many. */
function toArchive(
	db: SqliteConnection,
	conversation: number,
	written: { readonly key: string; readonly bytes: number; readonly accessedAt: number },
	maxBytes: number,
): string[] {
	const others = Number(db.get(contextStatements.otherBytes, conversation, bound(written.key))?.['bytes']);
	if (others + written.bytes <= maxBytes) return [];
	const rows = db.all(contextStatements.others, conversation, bound(written.key));
	const measured = rows.map(({ name, bytes, accessed_at }) => ({
		key: textOf(name),
		bytes: Number(bytes),
		accessedAt: Number(accessed_at),
	}));
	return keysToArchive(measured, written, maxBytes);
}

/** What a call returned, or why it was refused: to the store of the file, every throw is a failure of the file. */
type Outcome<T> = { readonly value: T } | { readonly refused: ConversationError };

function outcomeOf<T>(work: () => T): Outcome<T> {
	try {
		return { value: work() };
	} catch (error) {
		if (error instanceof ConversationError) return { refused: error };
		throw error;
	}
}

function settled<T>(outcome: Outcome<T>): T {
	if ('refused' in outcome) throw outcome.refused;
	return outcome.value;
}

/** The errors of the file, in the words of conversations. */
function rethrow(error: unknown): never {
	if (!(error instanceof SessionManagerError)) throw error;
	const code = error.code === 'corrupt' || error.code === 'closed' ? error.code : 'unavailable';
	const message = code === 'closed' ? 'The store is closed.' : error.message;
	throw new ConversationError(code, message, { cause: error });
}
