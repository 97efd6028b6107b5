import type { Clock } from '@holdfast/session-manager';
import { systemClock } from '@holdfast/session-manager/custom';
import { checkOptions, hasMethods, type OptionSchemas, shown } from '@holdfast/session-manager/internal';
import { ConversationError } from '../contract/conversation-error.js';
import { type ConversationHead, roleOf } from '../contract/conversation-record.js';
import type { ConversationStore } from '../contract/conversation-store.js';
import { DetailCache } from '../reading/detail-cache.js';
import { allOf } from '../reading/listing.js';
import { type ConversationChange, changeOf, conversationUri, type Home } from './home.js';
import { type ConversationLimits, limitsOf } from './limits.js';
import { type ConversationObserver, type ConversationStats, Observation } from './observer.js';
import { conversationsSchemas } from './option-schemas.js';
import { PersonConversations } from './person-conversations.js';
import { type PersonSessions, Persons } from './persons.js';
import { type ShareKey, ShareLinks } from './share-links.js';

/** Options of {@link Conversations}. */
export interface ConversationsOptions extends Partial<ConversationLimits> {
	/**
	 * What happens when a person has `maxConversationsPerPerson` active conversations and wants another: it is refused,
	 * or the one unused for longest is suspended.
	 *
	 * @default 'refuse'
	 */
	readonly tooManyConversations?: 'refuse' | 'suspend-oldest' | undefined;
	/**
	 * What happens to a conversation that was unused for `unusedTtlMs`: it ends and can still be read and searched, or it
	 * is erased, also when it had ended before.
	 *
	 * @default 'end'
	 */
	readonly unusedConversations?: 'end' | 'erase' | undefined;
	/**
	 * Keys that sign share links; the first signs, all of them are believed. Without any, share links are off.
	 *
	 * @default none
	 */
	readonly shareKeys?: readonly ShareKey[] | undefined;
	/**
	 * How many conversations this node keeps in memory, to sum them up faster.
	 *
	 * @default 100
	 */
	readonly maxCached?: number | undefined;
	/**
	 * How long it keeps them, in milliseconds.
	 *
	 * @default 3,600,000
	 */
	readonly cacheTtlMs?: number | undefined;
	/**
	 * How often a use is recorded at most, in milliseconds.
	 *
	 * @default 60,000
	 */
	readonly touchIntervalMs?: number | undefined;
	/**
	 * How often unused conversations are looked for, in milliseconds; 0: only when `sweep` is called.
	 *
	 * @default 3,600,000
	 */
	readonly sweepIntervalMs?: number | undefined;
	/**
	 * The sessions of the same persons, such as `transport.principals`: `persons` exports and erases them as well.
	 *
	 * @default none
	 */
	readonly sessions?: PersonSessions | undefined;
	/**
	 * Hears what happens, for metrics; one observer or several.
	 *
	 * @default none
	 */
	readonly observe?: ConversationObserver | readonly ConversationObserver[] | undefined;
	/**
	 * The source of time.
	 *
	 * @default the machine's clock
	 */
	readonly clock?: Clock | undefined;
}

/**
 * Conversations that outlive sessions: what was said, what holds, and what was found, for every client and node that
 * uses the same store.
 *
 * @example
 * ```ts source="../../test/examples/conversations.examples.ts#start"
 * const conversations = new Conversations(new FileConversationStore('./conversations'));
 * conversations.onerror = report;
 * const alice = conversations.of('alice');
 * ```
 */
export class Conversations {
	/** Called with errors that occur in the background, and with those of `onchange`. */
	onerror: ((error: Error) => void) | undefined;
	/** Called after each change that this node made. */
	onchange: ((change: ConversationChange) => unknown) | undefined;
	readonly persons: Persons;
	readonly #home: Home;
	readonly #erasesUnused: boolean;
	readonly #sweepIntervalMs: number;
	#cancelSweep: (() => void) | undefined;
	#closed = false;

	/** Throws `TypeError` where an option cannot work. `store` remains the caller's. */
	constructor(store: ConversationStore, options: ConversationsOptions = {}) {
		checkOptions('Conversations', conversationsSchemas satisfies OptionSchemas<ConversationsOptions>, options);
		if (!hasMethods(store, ['create', 'read', 'list']))
			throw new TypeError(`Conversations needs a store first, such as a FileConversationStore, not ${shown(store)}.`);
		const clock = options.clock ?? systemClock;
		const { maxCached = 100, cacheTtlMs = 3_600_000, touchIntervalMs = 60_000, sweepIntervalMs = 3_600_000 } = options;
		this.#home = {
			store,
			clock,
			limits: limitsOf(options),
			links: new ShareLinks(options.shareKeys ?? []),
			cache: new DetailCache(maxCached, cacheTtlMs, clock),
			touchIntervalMs,
			suspendsOldest: options.tooManyConversations === 'suspend-oldest',
			observation: new Observation([options.observe ?? []].flat(), (error) => this.#report(error)),
			changed: (change) => this.#changed(change),
		};
		this.#erasesUnused = options.unusedConversations === 'erase';
		this.#sweepIntervalMs = sweepIntervalMs;
		this.persons = new Persons(this.#home, options.sessions);
	}

	/** Returns the conversations of a person. `principal` names them, as `session.principal` does. */
	of(principal: string): PersonConversations {
		if (typeof principal !== 'string' || principal === '') throw new TypeError('principal must be a text.');
		this.#scheduleSweep();
		return new PersonConversations(this.#home, principal);
	}

	/**
	 * Ends or erases conversations that were unused for too long. Returns how many. Several nodes may do it at once, and
	 * what somebody uses meanwhile stays.
	 */
	async sweep(): Promise<number> {
		const { store, limits, clock, cache } = this.#home;
		if (limits.unusedTtlMs === 0) return 0;
		const unusedSince = clock.now() - limits.unusedTtlMs;
		const states = this.#erasesUnused ? undefined : (['active', 'suspended'] as const);
		let swept = 0;
		for await (const { head, version } of allOf(store, { unusedSince, states })) {
			cache.drop(head.id);
			const after = this.#erasesUnused ? undefined : ended(head, clock.now());
			const done =
				after === undefined
					? await store.deleteUnused(head.id, unusedSince)
					: await store.writeUnused(head.id, version, after, unusedSince);
			if (!done) continue;
			swept++;
			this.#changed(changeOf(head, after, [conversationUri(head.id)]));
		}
		return swept;
	}

	/**
	 * Counts conversations, and tells observers. It reads the whole store: for a page of an operator or once a minute,
	 * not for every request.
	 */
	async stats(): Promise<ConversationStats> {
		const { store, clock, cache, observation } = this.#home;
		const states = { active: 0, suspended: 0, terminated: 0 };
		const sizes: number[] = [];
		let [total, oldest] = [0, clock.now()];
		for await (const { head } of allOf(store, {})) {
			total++;
			states[head.state]++;
			oldest = Math.min(oldest, head.createdAt);
			const size = sizes.length < 100 ? await this.#sizeOf(head.id) : undefined;
			if (size !== undefined) sizes.push(size);
		}
		const bytes = sizes.reduce((sum, size) => sum + size, 0);
		const stats = {
			...states,
			total,
			averageBytes: sizes.length === 0 ? 0 : Math.round(bytes / sizes.length),
			oldestAgeMs: clock.now() - oldest,
			cached: cache.size,
		};
		observation.emit({ type: 'conversations-counted', ...stats });
		return stats;
	}

	/** Returns whether `principal` may read a conversation; `undefined` where there is none. */
	async mayRead(principal: string, id: string): Promise<boolean | undefined> {
		// A longer one is the id of no conversation.
		const stored = id.length <= 1_000 ? await this.#home.store.read(id) : undefined;
		return stored && roleOf(stored.head, principal) !== undefined;
	}

	/** Stops looking for unused conversations. The store stays open. Idempotent. */
	close(): void {
		this.#closed = true;
		this.#cancelSweep?.();
	}

	/** Returns how much is stored of a conversation; `undefined` where that is corrupt. */
	async #sizeOf(id: string): Promise<number | undefined> {
		try {
			return (await this.#home.store.counts(id))?.bytes ?? 0;
		} catch (error) {
			if (!(error instanceof ConversationError) || error.code !== 'corrupt') throw error;
			this.#report(error);
			return undefined;
		}
	}

	#scheduleSweep(): void {
		if (this.#closed || this.#sweepIntervalMs === 0 || this.#cancelSweep !== undefined) return;
		this.#cancelSweep = this.#home.clock.after(this.#sweepIntervalMs, () => {
			this.#cancelSweep = undefined;
			this.sweep()
				.catch((error) => this.#report(error))
				.then(() => this.#scheduleSweep());
		});
	}

	async #changed(change: ConversationChange): Promise<void> {
		try {
			await this.onchange?.(change);
		} catch (error) {
			this.#report(error);
		}
	}

	#report(error: unknown): void {
		this.onerror?.(error instanceof Error ? error : new Error(String(error)));
	}
}

function ended(head: ConversationHead, at: number): ConversationHead {
	return { ...head, state: 'terminated', terminatedAt: at, updatedAt: at, endReason: 'unused' };
}
