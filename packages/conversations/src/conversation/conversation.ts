import type { Json } from '@holdfast/session-manager';
import { ConversationError } from '../contract/conversation-error.js';
import {
	type ContextEntry,
	type ConversationCounts,
	type ConversationHead,
	type Discovery,
	type Message,
	type NewMessage,
	type Role,
	roleOf,
	type StoredConversation,
	type Visit,
} from '../contract/conversation-record.js';
import type { ContextWritten, HistoryRoom, Range } from '../contract/conversation-store.js';
import { type ExportedConversation, exportOf } from '../reading/export.js';
import { type ResumeSummary, readDetail, summaryOf } from '../reading/resume-summary.js';
import { type SearchHit, type SearchOptions, search } from '../reading/search.js';
import { admitted, changeHead, type Need, notFound } from './access.js';
import { changeOf, contextUri, conversationUri, type Home } from './home.js';
import {
	checkedDiscovery,
	checkedHead,
	checkedMessage,
	type DiscoveryInput,
	type HeadChanges,
	type MessageInput,
} from './input.js';
import { checkedJson, checkText } from './limits.js';
import { makeRoomFor } from './make-room.js';
import { former, withMember } from './members.js';

const READ: Need = { role: 'reader', state: 'any' };
const WRITE: Need = { role: 'writer', state: 'active' };
const OWN: Need = { role: 'owner', state: 'living' };

/** The default life of a share link. */
const SHARE_MS = 7 * 24 * 60 * 60 * 1000;
/** How often messages are sent to the store again when others change the conversation at the same time. */
const MAX_ATTEMPTS = 5;
/** How many of the last messages a summary shows, where they have no more bytes than a page. */
const SUMMED_UP = 20;
/** How many bytes of messages or discoveries are read at once unless others are asked for. */
const PAGE_BYTES = 1_048_576;

/** A share link, as it is given away once. */
export interface ShareLink {
	readonly id: string;
	/** Whoever has it can join: treat it as a password. */
	readonly token: string;
	readonly role: Exclude<Role, 'owner'>;
	readonly expiresAt: number;
}

/**
 * One conversation, as one of its members sees it. Every method asks the store whether the person may do it: what an
 * owner takes back is gone at once, on every node. Methods reject with {@link ConversationError}.
 *
 * @example
 * ```ts source="../../test/examples/conversations.examples.ts#conversation"
 * const conversation = await alice.create({ id: 'debug-memory-leak', title: 'Memory leak', project: 'API' });
 * await conversation.addMessage({ role: 'user', content: 'The API instances grow by 100 MB an hour.' });
 * await conversation.setContext('deployment', { version: 'v2.4.0' });
 * await conversation.addDiscovery({ title: 'The cache has no eviction policy', relevance: 0.9 });
 * await conversation.suspend();
 * ```
 */
export class Conversation {
	readonly id: string;
	readonly #home: Home;
	readonly #principal: string;

	/** Made by {@link PersonConversations}. */
	constructor(home: Home, id: string, principal: string) {
		this.#home = home;
		this.id = id;
		this.#principal = principal;
	}

	/** The URI of the resource that shows the conversation. */
	get uri(): string {
		return conversationUri(this.id);
	}

	/** Returns what the conversation is. */
	async head(): Promise<ConversationHead> {
		return (await this.#admitted(READ)).head;
	}

	/** Returns how much the conversation holds. */
	async counts(): Promise<ConversationCounts> {
		await this.#admitted(READ);
		return this.#present(await this.#home.store.counts(this.id));
	}

	/** Adds one message to an active conversation and returns its number. */
	addMessage(message: MessageInput): Promise<number> {
		return this.addMessages([message]);
	}

	/** Adds messages that follow each other, all or none, and returns the number of the first. */
	async addMessages(messages: readonly MessageInput[]): Promise<number> {
		const { maxMessageBytes, maxHistory, archiveBatch } = this.#home.limits;
		if (messages.length === 0) throw new ConversationError('invalid', 'There must be at least one message.');
		const at = this.#home.clock.now();
		const by = this.#principal;
		const added = messages.map((message) => ({ ...checkedMessage(message, maxMessageBytes), at, by }));
		const room = { keep: maxHistory, batch: archiveBatch };
		const first = await this.#append(added, room);
		this.#changed([conversationUri(this.id, 'history')]);
		return first;
	}

	/**
	 * Returns messages in ascending order: the newest 50, or those below `before`; archived ones as well. They are fewer
	 * where so many have more than `maxBytes`, by default 1 MiB: ask for those below the first of them then.
	 */
	async history(range?: Partial<Range>): Promise<readonly Message[]> {
		await this.#admitted(READ);
		return this.#home.store.messages(this.id, pageOf(range));
	}

	/**
	 * Sets a value that holds from now on. With `expected`, only if its version still is that one; with `undefined` as
	 * `expected`, only if there is no value. Returns the new version and the keys that moved to the archive to make room.
	 */
	async setContext(key: string, value: Json, options: { expected?: string | undefined } = {}): Promise<ContextWritten> {
		checkKey(key);
		const { maxValueBytes } = this.#home.limits;
		const plain = checkedJson(`The value of "${key}"`, value, maxValueBytes, 'store a summary, or several keys.');
		const expected = 'expected' in options ? options.expected : '*';
		return this.#writeContext(key, expected, { value: plain, at: this.#home.clock.now(), by: this.#principal });
	}

	/** Removes a value. */
	async removeContext(key: string): Promise<void> {
		checkKey(key);
		await this.#writeContext(key, '*', undefined);
	}

	/** Returns one value, also an archived one; `undefined` where there is none. It counts as a use of the value. */
	async getContext(key: string): Promise<ContextEntry | undefined> {
		checkKey(key);
		const [entry] = await this.#usedContext([key]);
		return entry;
	}

	/**
	 * Returns all values that are not archived, those used last first. It counts as a use of none: what is read with all
	 * others says nothing of which is unused for longest, and would hide what was read by itself.
	 */
	async context(): Promise<readonly ContextEntry[]> {
		await this.#admitted(READ);
		const entries = await this.#home.store.liveContext(this.id);
		return entries.toSorted((one, other) => other.accessedAt - one.accessedAt);
	}

	/** Adds a discovery to an active conversation and returns its number. */
	async addDiscovery(discovery: DiscoveryInput): Promise<number> {
		const given = checkedDiscovery(discovery);
		const { discoveries } = await this.#admittedToWrite();
		if (discoveries >= this.#home.limits.maxDiscoveries) {
			throw new ConversationError(
				'limit',
				`"${this.id}" has ${discoveries} discoveries, the most that it may have. Begin a new conversation.`,
			);
		}
		if (given.resolves.some((number) => !(number >= 1 && number <= discoveries))) {
			throw new ConversationError('invalid', `resolves must name earlier discoveries, from 1 to ${discoveries}.`);
		}
		const [at, by] = [this.#home.clock.now(), this.#principal];
		const number = await this.#home.store.addDiscovery(this.id, { ...given, at, by }, this.#principal);
		if (number === undefined) {
			// Where they may not write any more, this says so.
			await this.#admittedToWrite();
			throw new ConversationError('conflict', `"${this.id}" was changed meanwhile: try again.`);
		}
		this.#changed([conversationUri(this.id, 'discoveries')]);
		return number;
	}

	/** Returns discoveries in ascending order: the newest 50, or those below `before`; bounded as {@link history} is. */
	async discoveries(range?: Partial<Range>): Promise<readonly Discovery[]> {
		await this.#admitted(READ);
		return this.#home.store.discoveries(this.id, pageOf(range));
	}

	/** Searches messages, context, discoveries and archive. See {@link PersonConversations.search}. */
	async search(query: string, options?: SearchOptions): Promise<SearchHit[]> {
		await this.#admitted(READ);
		return search(this.#home, query, { conversation: this.id, principal: this.#principal }, options);
	}

	/** Returns what one needs to go on, without coming back: nothing changes. */
	async summary(): Promise<ResumeSummary> {
		const stored = await this.#admitted(READ);
		return (await this.#summed(stored)).summary;
	}

	/**
	 * Comes back to the conversation: makes a suspended one active again, and returns what one needs to go on. A reader,
	 * or whoever resumes a conversation that has ended, changes nothing but their own visit.
	 */
	async resume(): Promise<ResumeSummary> {
		const stored = await this.#admitted(READ);
		const { head } = stored;
		const { summary, visit } = await this.#summed(stored);
		const wakes = head.state === 'suspended' && summary.role !== 'reader';
		const change = (now: ConversationHead): ConversationHead => ({
			...now,
			...(wakes && now.state === 'suspended' && { state: 'active' as const, resumedAt: visit.at }),
			lastUsedAt: visit.at,
			members: now.members.map((member) => (member.principal === this.#principal ? { ...member, visit } : member)),
		});
		const write = () => changeHead(this.#home, this.id, this.#principal, READ, change);
		const resumed = wakes ? await makeRoomFor(this.#home, head.owner, false, write) : await write();
		if (wakes) this.#changed();
		return { ...summary, state: resumed.head.state, lastUsedAt: resumed.head.lastUsedAt };
	}

	/** Lets the conversation rest: nothing of it stays in memory, and it does not count as active. */
	async suspend(): Promise<void> {
		await this.#changeHead({ role: 'writer', state: 'living' }, (head) =>
			head.state === 'suspended' ? undefined : { ...head, state: 'suspended', suspendedAt: this.#home.clock.now() },
		);
		this.#home.cache.drop(this.id);
		this.#home.store.release(this.id);
	}

	/** Ends the conversation for good: it can still be read and searched. Only its owner may. */
	async end(reason = 'ended by its owner'): Promise<void> {
		checkText('reason', reason, 500);
		await this.#changeHead(OWN, (head) => ({
			...head,
			state: 'terminated',
			terminatedAt: this.#home.clock.now(),
			endReason: reason,
		}));
		this.#home.cache.drop(this.id);
		this.#home.store.release(this.id);
	}

	/** Removes the conversation and everything in it, for everybody. Only its owner may. */
	async erase(): Promise<void> {
		const { head } = await this.#admitted({ role: 'owner', state: 'any' });
		await this.#home.store.delete(this.id);
		this.#home.cache.drop(this.id);
		this.#home.changed(changeOf(head, undefined, [this.uri]));
	}

	/** Changes title, project, description and metadata; what is not given stays. */
	async update(changes: HeadChanges): Promise<void> {
		const given = checkedHead(changes);
		await this.#changeHead(WRITE, (head) => ({ ...head, ...given }));
	}

	/** Makes a link by which somebody can join as `role`. Only the owner may. */
	async share(role: Exclude<Role, 'owner'>, expiresInMs = SHARE_MS): Promise<ShareLink> {
		checkRole(role);
		if (!(Number.isSafeInteger(expiresInMs) && expiresInMs > 0)) {
			throw new ConversationError('invalid', 'expiresInMs must be a whole number of milliseconds above 0.');
		}
		const now = this.#home.clock.now();
		const [id, expiresAt] = [this.#home.links.newId(), now + expiresInMs];
		const token = this.#home.links.mint({ conversation: this.id, link: id, role, expiresAt });
		await this.#changeHead(OWN, (head) => {
			const links = head.links.filter((link) => link.expiresAt > now);
			if (links.length >= this.#home.limits.maxMembers) {
				throw new ConversationError('limit', `"${this.id}" has ${links.length} share links: revoke some of them.`);
			}
			return { ...head, links: [...links, { id, role, createdAt: now, expiresAt }] };
		});
		return { id, token, role, expiresAt };
	}

	/** Revokes a share link, and removes whoever joined by it. Only the owner may. */
	async revoke(linkId: string): Promise<void> {
		await this.#changeHead(OWN, (head) => ({
			...head,
			links: head.links.filter(({ id }) => id !== linkId),
			members: head.members.map((member) => (member.link === linkId ? former(member) : member)),
		}));
	}

	/** Gives somebody a role, or another one; `undefined` takes it away. Only the owner may, and not from themselves. */
	async setMember(principal: string, role: Exclude<Role, 'owner'> | undefined): Promise<void> {
		checkText('principal', principal, 1_000);
		if (role !== undefined) checkRole(role);
		await this.#changeHead(OWN, (head) => withMember(head, principal, role, this.#home));
	}

	/** Leaves the conversation. Its owner cannot: they end or erase it. */
	async leave(): Promise<void> {
		await this.#changeHead(READ, (head) => {
			if (head.owner === this.#principal) {
				throw new ConversationError('invalid', 'The owner cannot leave: end the conversation, or erase it.');
			}
			return {
				...head,
				members: head.members.map((member) => (member.principal === this.#principal ? former(member) : member)),
			};
		});
	}

	/** Returns everything of the conversation, the archive included. */
	async export(): Promise<ExportedConversation> {
		return exportOf(this.#home.store, await this.#admitted(READ));
	}

	async #append(messages: readonly NewMessage[], room: HistoryRoom): Promise<number> {
		const { store, limits, clock, touchIntervalMs: intervalMs } = this.#home;
		const use = { writer: this.#principal, maxBytes: limits.maxConversationBytes, at: clock.now(), intervalMs };
		for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
			const first = await store.appendAs(this.id, messages, room, use);
			if (typeof first === 'number') return first;
			// This says why not, unless it was changed meanwhile.
			await this.#admittedToWrite();
		}
		throw new ConversationError('conflict', `Others keep changing "${this.id}": try again.`);
	}

	async #admittedToWrite(): Promise<ConversationCounts> {
		const [{ head }, counted] = await Promise.all([this.#admitted(WRITE), this.#home.store.counts(this.id)]);
		const counts = this.#present(counted);
		const { maxConversationBytes } = this.#home.limits;
		if (counts.bytes >= maxConversationBytes) {
			throw new ConversationError(
				'limit',
				`"${this.id}" has ${counts.bytes} bytes, and may have ${maxConversationBytes}. Begin a new conversation.`,
			);
		}
		const now = this.#home.clock.now();
		if (now - head.lastUsedAt >= this.#home.touchIntervalMs) await this.#home.store.touch(this.id, now);
		return counts;
	}

	async #writeContext(
		key: string,
		expected: string | undefined,
		write: { value: Json; at: number; by: string } | undefined,
	): Promise<ContextWritten> {
		await this.#admittedToWrite();
		const { maxContextBytes } = this.#home.limits;
		const { store } = this.#home;
		const written = await store.setContext(this.id, key, expected, write, maxContextBytes, this.#principal);
		if (written === false) {
			// Where they may not write any more, this says so.
			await this.#admittedToWrite();
			throw new ConversationError('conflict', `"${key}" was written meanwhile: read it again, then set it again.`);
		}
		this.#changed([key, ...written.archived].map((each) => contextUri(this.id, each)));
		return written;
	}

	async #usedContext(keys: readonly string[]): Promise<readonly ContextEntry[]> {
		const { head } = await this.#admitted(READ);
		const entries = await this.#home.store.context(this.id, keys);
		const now = this.#home.clock.now();
		const used = entries.filter(({ accessedAt }) => now - accessedAt >= this.#home.touchIntervalMs);
		if (used.length > 0 && head.state !== 'terminated') {
			await this.#home.store.touchContext(
				this.id,
				used.map(({ key }) => key),
				now,
			);
		}
		return entries;
	}

	async #summed(stored: StoredConversation): Promise<{ readonly summary: ResumeSummary; readonly visit: Visit }> {
		const member = stored.head.members.find(({ principal }) => principal === this.#principal);
		const role = roleOf(stored.head, this.#principal) ?? 'reader';
		const [detail, messages] = await Promise.all([
			this.#home.cache.get(stored, () => readDetail(this.#home.store, this.id)),
			this.#home.store.messages(this.id, { limit: SUMMED_UP, maxBytes: PAGE_BYTES }),
		]);
		return {
			summary: summaryOf(stored.head, role, detail, messages, member?.visit),
			visit: {
				at: this.#home.clock.now(),
				message: messages.at(-1)?.number ?? 0,
				discovery: detail.discoveryCount,
			},
		};
	}

	#admitted(need: Need) {
		return admitted(this.#home, this.id, this.#principal, need);
	}

	async #changeHead(need: Need, change: (head: ConversationHead) => ConversationHead | undefined): Promise<void> {
		const { before, head } = await changeHead(this.#home, this.id, this.#principal, need, change);
		this.#home.changed(changeOf(before, head, [this.uri]));
	}

	#changed(uris: readonly string[] = []): void {
		this.#home.changed({ conversation: this.id, uris: [this.uri, ...uris] });
	}

	/** It was there a moment ago: whoever ended or deleted it was faster. */
	#present<T>(value: T | undefined): T {
		if (value === undefined) throw notFound(this.id);
		return value;
	}
}

function checkKey(key: string): void {
	checkText('The key', key, 255);
}

function checkRole(role: Exclude<Role, 'owner'>): void {
	if (role === 'reader' || role === 'writer') return;
	throw new ConversationError('invalid', 'role must be "reader" or "writer".');
}

function pageOf({ before, after, limit = 50, maxBytes = PAGE_BYTES }: Partial<Range> = {}): Range {
	return { before, after, limit, maxBytes };
}
