import type { MaybePromise } from '@holdfast/session-manager';
import {
	type ContextEntry,
	type ContextWrite,
	type ConversationCounts,
	type ConversationHead,
	type ConversationState,
	type Discovery,
	type Message,
	mayWrite,
	type NewDiscovery,
	type NewMessage,
	type StoredConversation,
} from './conversation-record.js';
import type { SearchCandidate, SearchRequest } from './search-request.js';

/** Limits on the number of conversations. */
export interface StoreLimits {
	/** The most active conversations of one owner; absent: unlimited. */
	readonly perOwner?: number | undefined;
	/** The most conversations of one owner that there are, suspended and ended ones included; absent: unlimited. */
	readonly keptPerOwner?: number | undefined;
	/** The most conversations in the store that have not ended; absent: unlimited. */
	readonly total?: number | undefined;
}

/** How much of the messages stays in the working history. */
export interface HistoryRoom {
	/** The most messages in the working history. */
	readonly keep: number;
	/** How many messages move to the archive at once. */
	readonly batch: number;
}

/** The use of a conversation by somebody who writes. */
export interface WriterUse {
	/** Who must be its owner or one of its writers; and it must be active. */
	readonly writer: string;
	/** How many bytes it must be below. */
	readonly maxBytes: number;
	/** When it is used, in milliseconds since the Unix epoch. */
	readonly at: number;
	/** The use is recorded where the last one that was is so many milliseconds older. */
	readonly intervalMs: number;
}

/**
 * Which messages or discoveries to read: those below `before` and above `after`, the newest `limit` of them, and of
 * these the newest that have at most `maxBytes` together, however large the newest is.
 */
export interface Range {
	readonly before?: number | undefined;
	readonly after?: number | undefined;
	readonly limit: number;
	/** As they are stored, give or take a few bytes each; absent: unlimited. */
	readonly maxBytes?: number | undefined;
}

/** Which conversations to list; all conditions must hold. */
export interface ConversationFilter {
	/** Only those with this member, also a former one. */
	readonly principal?: string | undefined;
	readonly states?: readonly ConversationState[] | undefined;
	/** Only those that were last used before this time. */
	readonly unusedSince?: number | undefined;
}

/** One page of a list. */
export interface ConversationPage {
	readonly conversations: readonly StoredConversation[];
	/**
	 * The ids of those that were left out because they are corrupt; with `principal`, also those of which nobody knows
	 * who takes part. Absent: there are none, or the store does not tell.
	 */
	readonly damaged?: readonly string[] | undefined;
	/** The cursor of the next page; absent on the last page. */
	readonly cursor?: string | undefined;
}

/** What a write of the context did. */
export interface ContextWritten {
	/** The new version; absent after a removal. */
	readonly version?: string | undefined;
	/** The keys that moved to the archive to make room. */
	readonly archived: readonly string[];
}

/**
 * Stores conversations: heads, messages, context and discoveries.
 *
 * A subclass must implement the abstract primitives, and each of them must be atomic across all nodes and processes
 * that use the store. A conversation that was never created or was deleted is *unknown*: reads return `undefined` or
 * nothing, writes return `false` or `undefined` and change nothing. A conversation that has ended is read-only: writes
 * other than `write`, `delete` and `eraseAuthor` treat it as unknown. What a write has acknowledged survives the end of
 * the process. After every write and every erasure, all that is left can be read. Ids, keys and principals are compared
 * exactly.
 *
 * There are three ways not to get a conversation, and they are never confused: it is unknown; what is stored of it
 * cannot be understood (`ConversationError` `corrupt`); the store cannot be reached (`unavailable`). What is corrupt is
 * never overwritten.
 *
 * @example
 * ```ts source="../../test/examples/stores.examples.ts#contract"
 * await store.create(head);
 * const first = await store.append(head.id, [{ role: 'user', content: 'Hello', at: Date.now() }]);
 * const messages = await store.messages(head.id, { before: first, limit: 20 });
 * ```
 */
export abstract class ConversationStore {
	/** Called with errors that occur in the background, and with what is corrupt where a list goes on without it. */
	onerror: ((error: Error) => void) | undefined;

	/**
	 * Stores a new conversation. Returns `false` and changes nothing when the id is taken, even by a conversation that
	 * is corrupt. Throws `ConversationError` `limit` when the conversation would exceed a limit, however many nodes
	 * create conversations at the same time.
	 */
	abstract create(head: ConversationHead, limits?: StoreLimits): MaybePromise<boolean>;

	/** Returns the head. */
	abstract read(id: string): MaybePromise<StoredConversation | undefined>;

	/**
	 * Replaces the head if its version still is `version`; returns `false` otherwise. Throws `ConversationError` `limit`
	 * when it would make the conversation active and its owner has too many active ones.
	 */
	abstract write(id: string, version: string, head: ConversationHead, limits?: StoreLimits): MaybePromise<boolean>;

	/**
	 * Records that the conversation was used at `usedAt`; an older time changes nothing. The version stays as it is.
	 */
	abstract touch(id: string, usedAt: number): MaybePromise<boolean>;

	/** Removes everything of the conversation. Returns `false` when it was unknown. */
	abstract delete(id: string): MaybePromise<boolean>;

	/**
	 * Writes as `write` does where the conversation was last used before `since`; returns `false` otherwise. A store
	 * that cannot ask and write in one step does not override it: it throws then, and what is unused is not ended.
	 */
	writeUnused(_id: string, _version: string, _head: ConversationHead, _since: number): MaybePromise<boolean> {
		throw notOverridden(this, 'writeUnused');
	}

	/**
	 * Deletes as `delete` does where the conversation was last used before `since`; returns `false` otherwise. A
	 * store that cannot ask and delete in one step does not override it: it throws then, and nothing unused is erased.
	 */
	deleteUnused(_id: string, _since: number): MaybePromise<boolean> {
		throw notOverridden(this, 'deleteUnused');
	}

	/**
	 * Appends messages, all or none, and returns the number of the first. However many writers append at the same time,
	 * messages are numbered from 1 without holes, and those of one call follow each other. When the working history then
	 * has more than `room.keep` messages, the oldest move to the archive, `room.batch` at a time.
	 */
	abstract append(id: string, messages: readonly NewMessage[], room?: HistoryRoom): MaybePromise<number | undefined>;

	/**
	 * Appends as `append` does where `use` allows it, and records the use; returns `false` and changes nothing where it
	 * does not. A store does better to override it, and take one step: this one asks first, and who is put out meanwhile
	 * still appends.
	 */
	async appendAs(
		id: string,
		messages: readonly NewMessage[],
		room: HistoryRoom,
		use: WriterUse,
	): Promise<number | false | undefined> {
		const [stored, counts] = await Promise.all([this.read(id), this.counts(id)]);
		if (stored === undefined || counts === undefined) return undefined;
		if (!mayWrite(stored.head, use.writer) || counts.bytes >= use.maxBytes) return false;
		if (use.at - stored.head.lastUsedAt >= use.intervalMs) await this.touch(id, use.at);
		return this.append(id, messages, room);
	}

	/** Returns messages of the range in ascending order, from working history and archive alike. */
	abstract messages(id: string, range: Range): MaybePromise<readonly Message[]>;

	/**
	 * Writes one value, or removes it when `write` is `undefined`, if the stored version still is `expected`
	 * (`undefined`: if there is no value; `'*'`: in any case); returns `false` otherwise. When the context would then
	 * exceed `maxBytes`, a fifth of the other values, those unused for longest, moves to the archive, again and again
	 * until there is room. Throws `ConversationError` `limit` when the value alone exceeds it. A value in the archive
	 * counts as stored, and writing it brings it back. With `writer`, it returns `false` unless they are owner or writer
	 * at that moment and the conversation is active.
	 */
	abstract setContext(
		id: string,
		key: string,
		expected: string | undefined,
		write: ContextWrite | undefined,
		maxBytes?: number,
		writer?: string,
	): MaybePromise<ContextWritten | false>;

	/** Returns the values of `keys`, or all, archived ones included, in no particular order. */
	abstract context(id: string, keys?: readonly string[]): MaybePromise<readonly ContextEntry[]>;

	/**
	 * Returns the values that are not archived, in no particular order. A store that is far away does better to override
	 * it, and leave the archive where it is.
	 */
	async liveContext(id: string): Promise<readonly ContextEntry[]> {
		return (await this.context(id)).filter(({ archived }) => !archived);
	}

	/** Records that values were used at `at`; an older time changes nothing, and unknown keys are ignored. */
	abstract touchContext(id: string, keys: readonly string[], at: number): MaybePromise<boolean>;

	/**
	 * Appends a discovery and returns its number. Discoveries are numbered as messages are. With `writer`, it treats the
	 * conversation as unknown unless they are owner or writer at that moment and it is active.
	 */
	abstract addDiscovery(id: string, discovery: NewDiscovery, writer?: string): MaybePromise<number | undefined>;

	/** Returns discoveries of the range in ascending order. */
	abstract discoveries(id: string, range: Range): MaybePromise<readonly Discovery[]>;

	/** Returns how much the conversation holds. */
	abstract counts(id: string): MaybePromise<ConversationCounts | undefined>;

	/**
	 * Erases what `principal` wrote: texts of messages and discoveries become {@link ERASED}, values of the context are
	 * removed, and numbers stay. A discovery names no keys of the context then. Returns how many there were. It works on
	 * an ended conversation as well, and finds what is archived. Of a long conversation, a store may erase one part after
	 * the other. Once they are no writer any more, nothing that they add as one comes after it.
	 */
	abstract eraseAuthor(id: string, principal: string): MaybePromise<number>;

	/**
	 * Returns what contains every term of the request, the best first: a text in which they occur more often, for its
	 * length, comes before others. What is archived is found as well. Case and diacritics do not count. However long a
	 * text is, all of it is searched, and however much others have, what is one's own is found. Where more than some
	 * hundreds match, a store may compare only the newest. A text that is corrupt is left out and reported to `onerror`.
	 */
	abstract search(request: SearchRequest): MaybePromise<readonly SearchCandidate[]>;

	/**
	 * Returns conversations that match, in pages of about `limit`, in no particular order. A conversation that is created
	 * or deleted meanwhile may or may not appear; every other one appears exactly once. One that is corrupt is left out,
	 * named in `damaged`, and reported to `onerror`.
	 */
	abstract list(filter: ConversationFilter, cursor: string | undefined, limit: number): MaybePromise<ConversationPage>;

	/** Frees what this node holds of a conversation in memory. Nothing stored changes. */
	release(_id: string): void {}

	/** Frees what the store opened. Idempotent. */
	close(): MaybePromise<void> {}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.close();
	}
}

/** The error of a store from before there was the method: without it, what was just used could be lost. */
function notOverridden(store: ConversationStore, method: string): TypeError {
	return new TypeError(`${store.constructor.name} must have a method ${method}, or set unusedTtlMs to 0.`);
}
