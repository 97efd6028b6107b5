import {
	bytesOfEntry,
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
	damaged,
	ERASED,
	type HistoryRoom,
	keysToArchive,
	type Message,
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
	textOfValue,
	tolerant,
	tooMany,
	tooManyKept,
	tooManyOf,
	type WriterUse,
} from '@holdfast/conversations/custom';
import { checkOptions, type OptionSchemas } from '@holdfast/session-manager/internal';
import { type ConnectionEvents, PostgresConnection, type Row } from '../connection/connection.js';
import { DEFAULT_SCHEMA, type PostgresOptions, postgresOptions } from '../connection/options.js';
import { checkSource, type PostgresSource } from '../connection/source.js';
import { conversationStatements } from '../sql/conversation-statements.js';
import { quoted } from '../sql/identifier.js';
import type { Statement } from '../sql/statement.js';
import { hashOf, originalText, storedText } from '../stored-text.js';
import { discoveryOf, entryOf, messageOf, splitDiscovery, splitMessage, storedOf } from './rows.js';
import { search } from './search.js';
import { wordsOf } from './words.js';

/** Options of {@link PostgresConversationStore}. */
export type PostgresConversationStoreOptions = Pick<PostgresOptions, 'schema' | 'ssl' | 'prepare' | 'migrate'>;

const STATES: readonly ConversationState[] = ['active', 'suspended', 'terminated'];
/** No conversation has as many messages. */
const NO_LIMIT = 2 ** 52;
const ERASED_DISCOVERY = { title: ERASED, description: ERASED };

/**
 * Keeps conversations in PostgreSQL 15 or later, for any number of nodes, with an index of all words. What a write has
 * acknowledged is on the server's disk. The schema may be that of the session managers. Connections open on first use.
 *
 * @example
 * ```ts source="../../test/examples/postgres-conversation-store.examples.ts#options"
 * const store = new PostgresConversationStore('postgres://localhost/shop', { schema: 'mcp' });
 * store.onerror = report;
 * const conversations = new Conversations(store);
 * ```
 */
export class PostgresConversationStore extends ConversationStore {
	readonly #schema: string;
	readonly #statements: ReturnType<typeof conversationStatements>;
	readonly #database: PostgresConnection;
	/** A search may take longer than anything else, which must not wait behind it. */
	readonly #searches: PostgresConnection;
	readonly #ondamage = (error: Error) => this.onerror?.(error);
	#isClosed = false;

	constructor(source: PostgresSource, options: PostgresConversationStoreOptions = {}) {
		super();
		const owner = 'PostgresConversationStore';
		const { schema, ssl, prepare, migrate } = postgresOptions;
		const schemas: OptionSchemas<PostgresConversationStoreOptions> = { schema, ssl, prepare, migrate };
		checkOptions(owner, schemas, options);
		checkSource(owner, source);
		this.#schema = quoted(options.schema ?? DEFAULT_SCHEMA);
		this.#statements = conversationStatements(this.#schema);
		const connect = (events: ConnectionEvents) =>
			new PostgresConnection(source, { ...options, durability: 'strict' }, events, true);
		const error = (error: Error) => this.onerror?.(error);
		this.#database = connect({ error, ready: () => this.#removeRest() });
		this.#searches = connect({ error });
	}

	override async create(head: ConversationHead, limits: StoreLimits = {}): Promise<boolean> {
		const { perOwner, keptPerOwner, total } = limits;
		const most = [perOwner ?? null, total ?? null, keptPerOwner ?? null];
		const values = [hashOf(head.id), storedText(head.id), ...headValues(head), ...most];
		switch (await this.#result(this.#statements.create, values)) {
			case 'total':
				throw tooMany(total ?? 0);
			case 'owned':
				throw tooManyOf(perOwner ?? 0);
			case 'kept':
				throw tooManyKept(keptPerOwner ?? 0);
			case 'created':
				return true;
			default:
				return false;
		}
	}

	override async read(id: string): Promise<StoredConversation | undefined> {
		const [row] = await this.#rows(this.#statements.read, [hashOf(id)]);
		return row && storedOf(row);
	}

	override async write(
		id: string,
		version: string,
		head: ConversationHead,
		{ perOwner }: StoreLimits = {},
	): Promise<boolean> {
		// What is no number was never a version.
		if (!/^\d{1,18}$/.test(version)) return false;
		const values = [hashOf(id), version, ...headValues(head), perOwner ?? null];
		const result = await this.#result(this.#statements.write, values);
		if (result === 'owned') throw tooManyOf(perOwner ?? 0);
		return result === 'written';
	}

	override async writeUnused(
		id: string,
		version: string,
		head: ConversationHead,
		unusedSince: number,
	): Promise<boolean> {
		if (!/^\d{1,18}$/.test(version)) return false;
		const values = [hashOf(id), version, ...headValues(head), unusedSince];
		return (await this.#result(this.#statements.writeUnused, values)) === 'written';
	}

	override touch(id: string, usedAt: number): Promise<boolean> {
		return this.#does(this.#statements.touch, [hashOf(id), usedAt]);
	}

	override delete(id: string): Promise<boolean> {
		return this.#delete(this.#statements.delete, [hashOf(id)]);
	}

	override deleteUnused(id: string, unusedSince: number): Promise<boolean> {
		return this.#delete(this.#statements.deleteUnused, [hashOf(id), unusedSince]);
	}

	override async append(id: string, messages: readonly NewMessage[], room?: HistoryRoom): Promise<number | undefined> {
		const first = await this.#result(this.#statements.append, appendValues(id, messages, room));
		return first === 'none' ? undefined : Number(first);
	}

	/** One step, and one wait for the server, but for what is refused. */
	override async appendAs(
		id: string,
		messages: readonly NewMessage[],
		room: HistoryRoom,
		{ writer, maxBytes, at, intervalMs }: WriterUse,
	): Promise<number | false | undefined> {
		const { appendAs, appendBy } = this.#statements;
		const values = appendValues(id, messages, room);
		const use = [Math.min(maxBytes, NO_LIMIT), at, intervalMs];
		let first = await this.#result(appendAs, [...values, storedText(writer), ...use]);
		// It refuses heads that it cannot read as well; this one takes longer, and reads all of them.
		if (first === 'refused') first = await this.#result(appendBy, [...values, JSON.stringify(writer), ...use]);
		if (first === 'refused') return false;
		return first === 'none' ? undefined : Number(first);
	}

	override async messages(id: string, range: Range): Promise<readonly Message[]> {
		return (await this.#ranged(this.#statements.messages, id, range)).map(messageOf);
	}

	override async setContext(
		id: string,
		key: string,
		expected: string | undefined,
		write: ContextWrite | undefined,
		maxBytes?: number,
		writer?: string,
	): Promise<ContextWritten | false> {
		const bytes = write && bytesOfEntry(key, write.value);
		const { setContext, setContextBy } = this.#statements;
		const written = await this.#result(writer === undefined ? setContext : setContextBy, [
			hashOf(id),
			hashOf(key),
			storedText(key),
			expected ?? null,
			...(write === undefined
				? [null, null, null, null, null]
				: [JSON.stringify(write.value), bytes, write.at, authorOf(write), wordsOf(textOfValue(key, write.value))]),
			maxBytes ?? null,
			...(writer === undefined ? [] : [JSON.stringify(writer)]),
		]);
		if (written === 'none' || written === 'refused' || written === 'conflict') return false;
		if (written === 'too-large') keysToArchive([], { key, bytes: bytes ?? 0, accessedAt: 0 }, maxBytes ?? 0);
		const { version, archived }: { version: string; archived: string[] } = JSON.parse(written);
		return { ...(write !== undefined && { version }), archived: archived.map(originalText) };
	}

	override async context(id: string, keys?: readonly string[]): Promise<readonly ContextEntry[]> {
		const { context, contextOf } = this.#statements;
		const rows =
			keys === undefined
				? await this.#rows(context, [hashOf(id)])
				: await this.#rows(contextOf, [hashOf(id), keys.map(hashOf)]);
		return rows.map(entryOf);
	}

	override async liveContext(id: string): Promise<readonly ContextEntry[]> {
		return (await this.#rows(this.#statements.liveContext, [hashOf(id)])).map(entryOf);
	}

	override touchContext(id: string, keys: readonly string[], at: number): Promise<boolean> {
		return this.#does(this.#statements.touchContext, [hashOf(id), keys.map(hashOf), at]);
	}

	override async addDiscovery(id: string, discovery: NewDiscovery, writer?: string): Promise<number | undefined> {
		const { body, said } = splitDiscovery(discovery);
		const values = [hashOf(id), body, said, authorOf(discovery), wordsOf(textOfDiscovery(discovery))];
		const { addDiscovery, addDiscoveryBy } = this.#statements;
		const number =
			writer === undefined
				? await this.#result(addDiscovery, values)
				: await this.#result(addDiscoveryBy, [...values, JSON.stringify(writer)]);
		return number === 'none' || number === 'refused' ? undefined : Number(number);
	}

	override async discoveries(id: string, range: Range): Promise<readonly Discovery[]> {
		return (await this.#ranged(this.#statements.discoveries, id, range)).map(discoveryOf);
	}

	override async counts(id: string): Promise<ConversationCounts | undefined> {
		const [row] = await this.#rows(this.#statements.counts, [hashOf(id)]);
		if (row === undefined) return undefined;
		return {
			messages: Number(row['messages']),
			archivedMessages: Number(row['archived']),
			context: Number(row['live']),
			contextBytes: Number(row['live_bytes']),
			archivedContext: Number(row['archived_values']),
			discoveries: Number(row['discoveries']),
			bytes: Number(row['bytes']),
		};
	}

	override async eraseAuthor(id: string, principal: string): Promise<number> {
		const texts = [
			...[JSON.stringify({ content: ERASED }), wordsOf(ERASED)],
			...[JSON.stringify(ERASED_DISCOVERY), wordsOf(textOfDiscovery(ERASED_DISCOVERY))],
		];
		let erased = 0;
		let [at, name]: unknown[] = [0, Buffer.alloc(0)];
		while (at !== null) {
			const values = [hashOf(id), storedText(principal), at, name, ...texts];
			const [row] = await this.#rows(this.#statements.eraseAuthor, values);
			erased += Number(row?.['erased']);
			[at, name] = [row?.['stop'] ?? null, row?.['stop_name']];
		}
		return erased;
	}

	override async search(request: SearchRequest): Promise<readonly SearchCandidate[]> {
		return search(this.#searches, this.#schema, request, this.#ondamage).catch(rethrow);
	}

	override async list(
		{ principal, states = STATES, unusedSince }: ConversationFilter,
		cursor: string | undefined,
		limit: number,
	): Promise<ConversationPage> {
		const size = Math.max(1, limit);
		const values = [Number(cursor ?? 0), states, unusedSince ?? null, size + 1];
		const { list, listOf } = this.#statements;
		const rows =
			principal === undefined
				? await this.#rows(list, values)
				: await this.#rows(listOf, [...values, hashOf(principal)]);
		const page = rows.slice(0, size);
		const conversations: StoredConversation[] = [];
		const damaged: string[] = [];
		for (const row of page) {
			const stored = tolerant(() => storedOf(row), this.#ondamage);
			if (stored === undefined) damaged.push(originalText(String(row['id'])));
			else conversations.push(stored);
		}
		return { conversations, damaged, ...(rows.length > size && { cursor: String(page.at(-1)?.['key']) }) };
	}

	override close(): void {
		this.#isClosed = true;
		this.#database.close();
		this.#searches.close();
	}

	async #delete(statement: Statement, values: readonly unknown[]): Promise<boolean> {
		const result = await this.#result(statement, values);
		if (result !== 'none' && result !== 'done') await this.#remove(result);
		return result !== 'none';
	}

	/** Removes what is left of a deleted conversation; without a key, of all that nobody works on. */
	async #remove(key?: string): Promise<void> {
		while ((await this.#result(this.#statements.remove, [key ?? null])) === 'true');
	}

	/** Goes on with what another store, or a connection that was lost, could not end. */
	#removeRest(): void {
		this.#remove().catch((error: Error) => {
			if (!this.#isClosed) this.onerror?.(error);
		});
	}

	/** Returns the rows of a range, the oldest first. */
	async #ranged(
		statement: Statement,
		id: string,
		{ before = NO_LIMIT, after = 0, limit, maxBytes = NO_LIMIT }: Range,
	): Promise<readonly Row[]> {
		if (limit <= 0) return [];
		const most = [limit, maxBytes].map((each) => Math.floor(Math.min(each, NO_LIMIT)));
		return (await this.#rows(statement, [hashOf(id), before, after, ...most])).toReversed();
	}

	#rows(statement: Statement, values: readonly unknown[]): Promise<readonly Row[]> {
		return this.#database.run(statement, values).catch(rethrow);
	}

	/** Returns what a function returned. */
	async #result(statement: Statement, values: readonly unknown[]): Promise<string> {
		const result = String((await this.#rows(statement, values))[0]?.['result']);
		if (result === 'corrupt') throw damaged('head');
		return result;
	}

	async #does(statement: Statement, values: readonly unknown[]): Promise<boolean> {
		return (await this.#result(statement, values)) === 'done';
	}
}

/** The parameters that say what a head is. */
function headValues(head: ConversationHead): unknown[] {
	const { owner, state, lastUsedAt, members } = head;
	return [
		hashOf(owner),
		state,
		JSON.stringify(head),
		lastUsedAt,
		members.map(({ principal }) => hashOf(principal)),
		members.map(({ role }) => role === 'former'),
	];
}

/** The parameters that say what is appended where. */
function appendValues(id: string, messages: readonly NewMessage[], room?: HistoryRoom): unknown[] {
	const items = messages.map(splitMessage);
	return [
		hashOf(id),
		items.map(({ body }) => body),
		items.map(({ said }) => said),
		messages.map(authorOf),
		messages.map(({ content }) => wordsOf(textOfContent(content))),
		room?.keep ?? null,
		room?.batch ?? null,
	];
}

function authorOf({ by }: { readonly by?: string | undefined }): string | null {
	return by === undefined ? null : storedText(by);
}
