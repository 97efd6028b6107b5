import { ConversationError } from '../contract/conversation-error.js';
import type { StoredConversation } from '../contract/conversation-record.js';
import { type ExportedConversation, exportOf } from '../reading/export.js';
import { pagesOf } from '../reading/listing.js';
import { changeOf, contextUri, conversationUri, type Home } from './home.js';
import { former } from './members.js';

/** The sessions of persons: `transport.principals` of a Holdfast transport. */
export interface PersonSessions {
	export(
		principal: string,
	): Promise<{ readonly sessions: readonly unknown[]; readonly records?: readonly unknown[] | undefined }>;
	erase(principal: string): Promise<number>;
}

/** Everything that is stored about a person, as one JSON document. */
export interface PersonExport {
	readonly principal: string;
	/** When the export was made, in milliseconds since the Unix epoch. */
	readonly exportedAt: number;
	/** The conversations that the person owns, whole; of others, what the person wrote. */
	readonly conversations: readonly ExportedConversation[];
	/** The ids of their conversations that are corrupt, and are not in the export. Absent where there are none. */
	readonly damaged?: readonly string[] | undefined;
	/** How many conversations are damaged so that nobody knows whose they are. Absent where there are none. */
	readonly unreadable?: number | undefined;
	/** Absent where no transport is known. */
	readonly sessions?: readonly unknown[] | undefined;
	/** What is kept for clients without a session: the state behind handles, and tasks. Absent as `sessions` is. */
	readonly records?: readonly unknown[] | undefined;
}

/** How many conversations there are of a person. */
export interface PersonCounts {
	/** Those that they own. */
	readonly own: number;
	/** Those of others in which they take part, or did. */
	readonly others: number;
	/** Those that are damaged and may be theirs. */
	readonly damaged: number;
}

/** What was erased. */
export interface PersonErasure {
	/** How many conversations were removed. */
	readonly conversations: number;
	/** How many texts of the person were erased in conversations of others. */
	readonly contributions: number;
	/** How many sessions were ended and erased. */
	readonly sessions: number;
}

/**
 * What is stored about persons, over all conversations, and over their sessions where a transport is known.
 *
 * @example
 * ```ts source="../../test/examples/conversations.examples.ts#persons"
 * const document = JSON.stringify(await conversations.persons.export('alice'));
 * const erased = await conversations.persons.erase('alice');
 * ```
 */
export class Persons {
	readonly #home: Home;
	readonly #sessions: PersonSessions | undefined;

	/** Made by {@link Conversations}. */
	constructor(home: Home, sessions: PersonSessions | undefined) {
		this.#home = home;
		this.#sessions = sessions;
	}

	/** Returns the same persons with other sessions, such as those that an operator's transport asks for. */
	withSessions(sessions: PersonSessions | undefined): Persons {
		return new Persons(this.#home, sessions);
	}

	/** Returns how many conversations there are of a person. */
	async count(principal: string): Promise<PersonCounts> {
		const { found, damaged } = await this.#conversationsOf(principal);
		const own = found.filter(({ head }) => head.owner === principal).length;
		return { own, others: found.length - own, damaged };
	}

	/** Returns everything that is stored about a person. */
	async export(principal: string): Promise<PersonExport> {
		const conversations: ExportedConversation[] = [];
		const damaged: string[] = [];
		const { found, damaged: unreadable } = await this.#conversationsOf(principal);
		for (const stored of found) {
			try {
				const isOwn = stored.head.owner === principal;
				conversations.push(await exportOf(this.#home.store, stored, isOwn ? undefined : principal));
			} catch (error) {
				if (!(error instanceof ConversationError) || error.code !== 'corrupt') throw error;
				damaged.push(stored.head.id);
			}
		}
		const { sessions, records } = (await this.#sessions?.export(principal)) ?? {};
		return {
			principal,
			exportedAt: this.#home.clock.now(),
			conversations,
			...(damaged.length > 0 && { damaged }),
			...(unreadable > 0 && { unreadable }),
			...(sessions && { sessions }),
			...(records && { records }),
		};
	}

	/**
	 * Erases a person: removes the conversations that they own, for everybody; erases what they wrote in others', and
	 * their membership there; ends and erases their sessions. What cannot be erased, such as a damaged conversation, does
	 * not keep it from the rest: it rejects at the end, and names what is left. Then it can be repeated.
	 */
	async erase(principal: string): Promise<PersonErasure> {
		const { store, cache, changed } = this.#home;
		const { found, damaged } = await this.#conversationsOf(principal);
		const left = new Map<string, unknown>();
		let [conversations, contributions] = [0, 0];
		for (const { head } of found) {
			const { id } = head;
			try {
				const keys = head.owner === principal ? [] : await this.#keysOf(id, principal);
				if (head.owner !== principal) contributions += await this.#forget(id, principal);
				else if (await store.delete(id)) conversations++;
				const parts = [conversationUri(id, 'history'), conversationUri(id, 'discoveries')];
				const uris = [conversationUri(id), ...parts, ...keys.map((key) => contextUri(id, key))];
				// Whoever stays finds it in their list as before.
				const members = head.members.filter((member) => member.principal !== principal);
				changed(changeOf(head, head.owner === principal ? undefined : { ...head, members }, uris));
			} catch (error) {
				left.set(id, error);
			}
			cache.drop(id);
		}
		let sessions = 0;
		let sessionsLeft: unknown;
		try {
			sessions = (await this.#sessions?.erase(principal)) ?? 0;
		} catch (error) {
			sessionsLeft = error ?? new Error('unknown');
		}
		if (left.size > 0 || damaged > 0 || sessionsLeft !== undefined) throw notErased(left, damaged, sessionsLeft);
		return { conversations, contributions, sessions };
	}

	/** Returns the keys of the values that a person wrote; none where they cannot be read, which is no matter. */
	async #keysOf(id: string, principal: string): Promise<string[]> {
		try {
			return (await this.#home.store.context(id)).filter(({ by }) => by === principal).map(({ key }) => key);
		} catch {
			return [];
		}
	}

	/** Erases what a person wrote in a conversation of another, and that they took part. Returns how much it was. */
	async #forget(id: string, principal: string): Promise<number> {
		const { store } = this.#home;
		for (let erased = 0; ; ) {
			const stored = await store.read(id);
			const member = stored?.head.members.find((each) => each.principal === principal);
			if (stored === undefined || member === undefined) return erased;
			const { head, version } = stored;
			const others = head.members.filter((each) => each !== member);
			if (member.role !== 'former') {
				// First of all they are out: what they wrote afterwards would stay, in a conversation that is no more theirs.
				await store.write(id, version, { ...head, members: [...others, former(member)] });
				continue;
			}
			erased += await store.eraseAuthor(id, principal);
			// Whoever let them in again meanwhile has changed the head.
			if (await store.write(id, version, { ...head, members: others })) return erased;
		}
	}

	/** Returns the conversations of a person, and how many are damaged that may be theirs. */
	async #conversationsOf(principal: string): Promise<{ found: readonly StoredConversation[]; damaged: number }> {
		const found: StoredConversation[] = [];
		let damaged = 0;
		// All of them first: what is deleted meanwhile must not shift the pages.
		for await (const page of pagesOf(this.#home.store, { principal })) {
			for (const stored of page.conversations) found.push(stored);
			damaged += page.damaged?.length ?? 0;
		}
		return { found, damaged };
	}
}

/** The error of an erasure that is not complete. It only counts those with a damaged head: they may be of others. */
function notErased(left: ReadonlyMap<string, unknown>, damaged: number, sessions: unknown): ConversationError {
	const causes = [...left.values()];
	const known = causes.map((cause) => (cause instanceof ConversationError ? cause.code : 'unavailable'));
	const parts = [
		...[...left.keys()].map((id) => `"${id}"`),
		...(damaged > 0
			? [`${damaged} with a damaged head, which may be of others, and are reported to store.onerror`]
			: []),
	];
	const sentences = ['The rest is erased, but not'];
	if (sessions !== undefined) {
		const reason = sessions instanceof Error ? sessions.message : String(sessions);
		sentences.push(`the sessions (${reason.replace(/\.$/, '')})${parts.length > 0 ? ', and not' : '.'}`);
	}
	if (parts.length > 0) sentences.push(`these conversations: ${parts.join(', ')}. Repair or delete them,`);
	sentences.push(parts.length > 0 ? 'then erase again.' : 'Erase again when their store is back.');
	return new ConversationError(damaged > 0 ? 'corrupt' : (known[0] ?? 'unavailable'), sentences.join(' '), {
		cause: new AggregateError(sessions === undefined ? causes : [...causes, sessions]),
	});
}
