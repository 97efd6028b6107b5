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
import { ContextTable } from '../store/context-table.js';
import { inside } from '../store/inside.js';
import { checkLimits, isSearched, matches } from '../store/matches.js';
import { messagesToArchive } from '../store/room.js';
import { textsIn } from '../store/searched-texts.js';

/** Everything of one conversation. */
class Conversation {
	head: ConversationHead;
	version: number;
	revision: number;
	archived = 0;
	/** Of messages and discoveries. */
	bytes = 0;
	messages: Omit<Message, 'archived'>[] = [];
	discoveries: Discovery[] = [];
	readonly context = new ContextTable();

	/** What it counts begins after `last`. */
	constructor(head: ConversationHead, last: number) {
		this.head = head;
		this.version = this.revision = last + 1;
		this.context.restore(last, []);
	}

	/** The highest of its versions and revisions. */
	get last(): number {
		return Math.max(this.revision, this.context.version);
	}

	get stored(): StoredConversation {
		return { head: this.head, version: String(this.version), revision: String(this.revision) };
	}
}

/**
 * Keeps conversations in the memory of one process, for tests and for what need not last. Everything is gone when the
 * process ends.
 *
 * @example
 * ```ts source="../../test/examples/stores.examples.ts#memory"
 * const conversations = new Conversations(new InMemoryConversationStore());
 * ```
 */
export class InMemoryConversationStore extends ConversationStore {
	readonly #conversations = new Map<string, Conversation>();
	/** The highest version or revision of those that were deleted. */
	#lastDeleted = 0;

	override create(head: ConversationHead, limits: StoreLimits = {}): boolean {
		if (this.#conversations.has(head.id)) return false;
		checkLimits(head, this.#heads(), limits);
		this.#conversations.set(head.id, new Conversation(structuredClone(head), this.#lastDeleted));
		return true;
	}

	override read(id: string): StoredConversation | undefined {
		return this.#conversations.get(id)?.stored;
	}

	override write(id: string, version: string, head: ConversationHead, limits: StoreLimits = {}): boolean {
		const conversation = this.#conversations.get(id);
		if (conversation === undefined || String(conversation.version) !== version) return false;
		if (head.state === 'active' && conversation.head.state !== 'active') {
			checkLimits(head, this.#heads(), { perOwner: limits.perOwner });
		}
		conversation.head = structuredClone({
			...head,
			lastUsedAt: Math.max(head.lastUsedAt, conversation.head.lastUsedAt),
		});
		conversation.version++;
		conversation.revision++;
		return true;
	}

	override touch(id: string, usedAt: number): boolean {
		const conversation = this.#living(id);
		if (conversation === undefined) return false;
		if (usedAt > conversation.head.lastUsedAt) {
			conversation.head = { ...conversation.head, lastUsedAt: usedAt };
			conversation.revision++;
		}
		return true;
	}

	override delete(id: string): boolean {
		this.#lastDeleted = Math.max(this.#lastDeleted, this.#conversations.get(id)?.last ?? 0);
		return this.#conversations.delete(id);
	}

	override writeUnused(id: string, version: string, head: ConversationHead, unusedSince: number): boolean {
		return this.#isUnused(id, unusedSince) && this.write(id, version, head);
	}

	override deleteUnused(id: string, unusedSince: number): boolean {
		return this.#isUnused(id, unusedSince) && this.delete(id);
	}

	override append(id: string, messages: readonly NewMessage[], room?: HistoryRoom): number | undefined {
		const conversation = this.#living(id);
		if (conversation === undefined) return undefined;
		const first = conversation.messages.length + 1;
		for (const message of messages) {
			const added = { ...structuredClone(message), number: conversation.messages.length + 1 };
			conversation.bytes += bytesOf(added);
			conversation.messages.push(added);
		}
		if (room !== undefined) {
			conversation.archived += messagesToArchive(conversation.messages.length - conversation.archived, room);
		}
		conversation.revision++;
		return first;
	}

	override async appendAs(
		id: string,
		messages: readonly NewMessage[],
		room: HistoryRoom,
		{ writer, maxBytes, at, intervalMs }: WriterUse,
	): Promise<number | false | undefined> {
		const conversation = this.#living(id);
		if (conversation === undefined) return undefined;
		if (this.#living(id, writer) === undefined || (this.counts(id)?.bytes ?? 0) >= maxBytes) return false;
		if (at - conversation.head.lastUsedAt >= intervalMs) this.touch(id, at);
		return this.append(id, messages, room);
	}

	override messages(id: string, range: Range): Message[] {
		const conversation = this.#conversations.get(id);
		if (conversation === undefined) return [];
		return inside(conversation.messages, range).map((message) => ({
			...message,
			archived: message.number <= conversation.archived,
		}));
	}

	override setContext(
		id: string,
		key: string,
		expected: string | undefined,
		write: ContextWrite | undefined,
		maxBytes?: number,
		writer?: string,
	): ContextWritten | false {
		const conversation = this.#living(id, writer);
		const change = conversation?.context.plan(key, expected, structuredClone(write), maxBytes);
		if (conversation === undefined || change === undefined || change === false) return false;
		conversation.context.apply(change);
		conversation.revision++;
		if ('removed' in change) return { archived: [] };
		return { version: String(change.version), archived: ('archived' in change && change.archived) || [] };
	}

	override context(id: string, keys?: readonly string[]): ContextEntry[] {
		const context = this.#conversations.get(id)?.context;
		if (context === undefined) return [];
		if (keys === undefined) return [...context.entries];
		return [...new Set(keys)].map((key) => context.get(key)).filter((entry) => entry !== undefined);
	}

	override touchContext(id: string, keys: readonly string[], at: number): boolean {
		const conversation = this.#living(id);
		if (conversation === undefined) return false;
		const change = conversation.context.planUse(keys, at);
		if (change !== undefined) conversation.context.apply(change);
		return true;
	}

	override addDiscovery(id: string, discovery: NewDiscovery, writer?: string): number | undefined {
		const conversation = this.#living(id, writer);
		if (conversation === undefined) return undefined;
		const number = conversation.discoveries.length + 1;
		const added = { ...structuredClone(discovery), number };
		conversation.bytes += bytesOf(added);
		conversation.discoveries.push(added);
		conversation.revision++;
		return number;
	}

	override discoveries(id: string, range: Range): Discovery[] {
		return inside(this.#conversations.get(id)?.discoveries ?? [], range);
	}

	override counts(id: string): ConversationCounts | undefined {
		const conversation = this.#conversations.get(id);
		if (conversation === undefined) return undefined;
		const { messages, archived, discoveries, context, bytes } = conversation;
		const entries = context.entries;
		const live = entries.filter((entry) => !entry.archived);
		const sizeOf = (of: readonly ContextEntry[]) => of.reduce((sum, entry) => sum + entry.bytes, 0);
		return {
			messages: messages.length,
			archivedMessages: archived,
			context: live.length,
			contextBytes: sizeOf(live),
			archivedContext: entries.length - live.length,
			discoveries: discoveries.length,
			bytes: bytes + sizeOf(entries),
		};
	}

	override eraseAuthor(id: string, principal: string): number {
		const conversation = this.#conversations.get(id);
		if (conversation === undefined) return 0;
		let erased = 0;
		const each = <T extends { readonly by?: string | undefined }>(items: T[], rest: (item: T) => T) =>
			items.map((item) => {
				if (item.by !== principal) return item;
				erased++;
				const left = rest(item);
				conversation.bytes += bytesOf(left) - bytesOf(item);
				return left;
			});
		const text = { content: ERASED, metadata: undefined, by: undefined };
		conversation.messages = each(conversation.messages, (message) => ({ ...message, ...text }));
		conversation.discoveries = each(conversation.discoveries, erasedDiscovery);
		const change = conversation.context.planErasure(principal);
		if (change !== undefined && 'removed' in change) {
			conversation.context.apply(change);
			erased += change.removed.length;
		}
		conversation.revision++;
		return erased;
	}

	override search(request: SearchRequest): SearchCandidate[] {
		const found: SearchCandidate[] = [];
		for (const { head, messages, archived, context, discoveries } of this.#conversations.values()) {
			if (!isSearched(head, request)) continue;
			const marked = messages.map((message) => ({ ...message, archived: message.number <= archived }));
			const searched = { id: head.id, messages: marked, context: context.entries, discoveries };
			for (const candidate of matching(textsIn(searched, request), request)) found.push(candidate);
		}
		return best(found, request.limit);
	}

	override list(filter: ConversationFilter, cursor: string | undefined, limit: number): ConversationPage {
		const ids = [...this.#conversations.keys()].sort();
		const conversations: StoredConversation[] = [];
		for (const id of ids) {
			const conversation = this.#conversations.get(id);
			if (conversation === undefined || (cursor !== undefined && id <= cursor)) continue;
			if (!matches(conversation.head, filter)) continue;
			if (conversations.length === Math.max(1, limit)) return { conversations, cursor: conversations.at(-1)?.head.id };
			conversations.push(conversation.stored);
		}
		return { conversations };
	}

	#isUnused(id: string, since: number): boolean {
		const conversation = this.#conversations.get(id);
		return conversation !== undefined && conversation.head.lastUsedAt < since;
	}

	/** Returns a conversation that has not ended; with `writer`, one that they may write. */
	#living(id: string, writer?: string): Conversation | undefined {
		const conversation = this.#conversations.get(id);
		if (conversation === undefined || conversation.head.state === 'terminated') return undefined;
		return writer === undefined || mayWrite(conversation.head, writer) ? conversation : undefined;
	}

	*#heads(): Iterable<ConversationHead> {
		for (const { head } of this.#conversations.values()) yield head;
	}
}

function bytesOf(item: object): number {
	return Buffer.byteLength(JSON.stringify(item));
}
