import { randomBytes } from 'node:crypto';
import type { JsonObject } from '@holdfast/session-manager';
import { ConversationError } from '../contract/conversation-error.js';
import { type ConversationHead, type ConversationState, type Role, roleOf } from '../contract/conversation-record.js';
import { allOf } from '../reading/listing.js';
import { type SearchHit, type SearchOptions, search } from '../reading/search.js';
import { tokensOf } from '../store/search-text.js';
import { admitted } from './access.js';
import { Conversation } from './conversation.js';
import { changeOf, type Home } from './home.js';
import { checkedHead } from './input.js';
import { checkText } from './limits.js';
import { makeRoomFor } from './make-room.js';
import { withMember } from './members.js';
import { errorName } from './observer.js';
import { invalidLink } from './share-links.js';

/** What a new conversation is. */
export interface NewConversation {
	/**
	 * Up to 200 characters.
	 *
	 * @default made from the title
	 */
	readonly id?: string | undefined;
	readonly title: string;
	readonly project?: string | undefined;
	readonly description?: string | undefined;
	readonly metadata?: JsonObject | undefined;
}

/** A conversation in a list. */
export interface ConversationSummary
	extends Pick<
		ConversationHead,
		'id' | 'title' | 'project' | 'description' | 'state' | 'createdAt' | 'lastUsedAt' | 'suspendedAt' | 'terminatedAt'
	> {
	readonly role: Role;
}

/** Which conversations to list. */
export interface ListOptions {
	/** @default all states */
	readonly states?: readonly ConversationState[] | undefined;
	readonly project?: string | undefined;
	/** @default 50 */
	readonly limit?: number | undefined;
}

/**
 * The conversations of one person: those they own, and those they joined. Methods reject with {@link
 * ConversationError}.
 *
 * @example
 * ```ts source="../../test/examples/conversations.examples.ts#person"
 * const alice = conversations.of('alice');
 * const [newest] = await alice.list({ states: ['active', 'suspended'] });
 * const hits = await alice.search('"eviction policy" cach*');
 * ```
 */
export class PersonConversations {
	readonly principal: string;
	readonly #home: Home;

	/** Made by {@link Conversations}. */
	constructor(home: Home, principal: string) {
		this.#home = home;
		this.principal = principal;
	}

	/** Returns the time by which the conversations are dated, in milliseconds since the Unix epoch. */
	now(): number {
		return this.#home.clock.now();
	}

	/**
	 * Creates an active conversation. Rejects with `taken` where there is one with this id, whosever it is, and with
	 * `limit` where there are too many.
	 */
	async create(conversation: NewConversation): Promise<Conversation> {
		const { clock, observation } = this.#home;
		const begun = clock.monotonic();
		let error: string | undefined;
		try {
			return await this.#create(conversation);
		} catch (thrown) {
			error = errorName(thrown);
			throw thrown;
		} finally {
			observation.emit({ type: 'conversation-created', durationMs: clock.monotonic() - begun, error });
		}
	}

	/** Returns a conversation that the person may read. */
	async open(id: string): Promise<Conversation> {
		const conversation = this.at(id);
		await admitted(this.#home, id, this.principal, { role: 'reader', state: 'any' });
		return conversation;
	}

	/**
	 * Returns a conversation without asking the store. Where there is none that the person may read, its methods reject
	 * with `not-found`.
	 */
	at(id: string): Conversation {
		checkText('id', id, 1_000);
		return new Conversation(this.#home, id, this.principal);
	}

	/** Joins a conversation by a share link, and returns it. Whoever has a higher role already keeps it. */
	async join(token: string): Promise<Conversation> {
		const { store, links, clock, limits } = this.#home;
		const claims = links.verify(String(token), clock.now());
		const conversation = new Conversation(this.#home, claims.conversation, this.principal);
		for (;;) {
			const stored = await store.read(claims.conversation);
			const link = stored?.head.links.find(({ id }) => id === claims.link);
			if (stored === undefined || link === undefined || stored.head.state === 'terminated') throw invalidLink();
			const role = roleOf(stored.head, this.principal);
			if (role === 'owner' || role === 'writer' || role === link.role) return conversation;
			const head = withMember(stored.head, this.principal, link.role, { limits, clock }, link.id);
			if (await store.write(claims.conversation, stored.version, { ...head, updatedAt: clock.now() })) {
				this.#home.changed(changeOf(stored.head, head, [conversation.uri]));
				return conversation;
			}
		}
	}

	/** Lists the person's conversations, those used last first. */
	async list({ states, project, limit = 50 }: ListOptions = {}): Promise<ConversationSummary[]> {
		const found: ConversationSummary[] = [];
		for await (const { head } of allOf(this.#home.store, { principal: this.principal, states })) {
			const role = roleOf(head, this.principal);
			if (role === undefined || (project !== undefined && head.project !== project)) continue;
			const { id, title, description, state, createdAt, lastUsedAt, suspendedAt, terminatedAt } = head;
			found.push({
				id,
				title,
				project: head.project,
				description,
				state,
				role,
				createdAt,
				lastUsedAt,
				suspendedAt,
				terminatedAt,
			});
		}
		return found.sort((one, other) => other.lastUsedAt - one.lastUsedAt).slice(0, limit);
	}

	/**
	 * Searches all of the person's conversations, archives included, for words, "phrases" and beginnings of words as
	 * `cach*`. All of them must be found in one text. The best hits come first: how often the words occur counts, and how
	 * relevant and how old a text is.
	 */
	search(query: string, options?: SearchOptions): Promise<SearchHit[]> {
		return search(this.#home, query, { principal: this.principal }, options);
	}

	async #create(conversation: NewConversation): Promise<Conversation> {
		const { title } = conversation;
		checkText('title', title, 500);
		const { project = '', description = '', metadata = {} } = checkedHead(conversation);
		const id = conversation.id ?? newId(title);
		checkText('id', id, 200);
		const now = this.#home.clock.now();
		const head: ConversationHead = {
			id,
			title,
			project,
			description,
			metadata,
			owner: this.principal,
			members: [{ principal: this.principal, role: 'owner', since: now }],
			links: [],
			state: 'active',
			createdAt: now,
			updatedAt: now,
			lastUsedAt: now,
		};
		const { maxConversationsPerPerson, maxConversationsKeptPerPerson, maxConversations } = this.#home.limits;
		const limits = {
			perOwner: maxConversationsPerPerson || undefined,
			keptPerOwner: maxConversationsKeptPerPerson || undefined,
			total: maxConversations || undefined,
		};
		const created = await makeRoomFor(this.#home, this.principal, true, async () =>
			this.#home.store.create(head, limits),
		);
		if (!created) {
			throw new ConversationError(
				'taken',
				`A conversation "${id}" exists already. Resume it to continue it, or create one with another id.`,
			);
		}
		this.#home.changed(changeOf(undefined, head, []));
		return new Conversation(this.#home, id, this.principal);
	}
}

/** Returns an id that a person recognizes: the words of the title, and some letters that make it unique. */
function newId(title: string): string {
	const words = tokensOf(title)
		.join('-')
		.replace(/[^a-z0-9]+/g, '-')
		.replace(/^-+|-+$/g, '')
		.slice(0, 40);
	return `${words || 'conversation'}-${randomBytes(5).toString('hex')}`;
}
