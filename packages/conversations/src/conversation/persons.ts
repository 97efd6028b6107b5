import type { StoredConversation } from '../contract/conversation-record.js';
import { type ExportedConversation, exportOf } from '../reading/export.js';
import { allOf } from '../reading/listing.js';
import type { Home } from './home.js';
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
	/** Absent where no transport is known. */
	readonly sessions?: readonly unknown[] | undefined;
	/** What is kept for clients without a session: the state behind handles, and tasks. Absent as `sessions` is. */
	readonly records?: readonly unknown[] | undefined;
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

	/** Returns everything that is stored about a person. */
	async export(principal: string): Promise<PersonExport> {
		const conversations: ExportedConversation[] = [];
		for (const stored of await this.#conversationsOf(principal)) {
			const isOwn = stored.head.owner === principal;
			conversations.push(await exportOf(this.#home.store, stored, isOwn ? undefined : principal));
		}
		const { sessions, records } = (await this.#sessions?.export(principal)) ?? {};
		const exportedAt = this.#home.clock.now();
		return { principal, exportedAt, conversations, ...(sessions && { sessions }), ...(records && { records }) };
	}

	/**
	 * Erases a person: removes the conversations that they own, for everybody; erases what they wrote in others', and
	 * their membership there; ends and erases their sessions. It can be repeated after a failure.
	 */
	async erase(principal: string): Promise<PersonErasure> {
		const { store, cache, changed } = this.#home;
		let [conversations, contributions] = [0, 0];
		for (const { head } of await this.#conversationsOf(principal)) {
			if (head.owner === principal) {
				if (await store.delete(head.id)) conversations++;
			} else {
				contributions += await this.#forget(head.id, principal);
			}
			cache.drop(head.id);
			changed({ conversation: head.id, uris: [] });
		}
		return { conversations, contributions, sessions: (await this.#sessions?.erase(principal)) ?? 0 };
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

	async #conversationsOf(principal: string): Promise<StoredConversation[]> {
		const found: StoredConversation[] = [];
		// All of them first: what is deleted meanwhile must not shift the pages.
		for await (const stored of allOf(this.#home.store, { principal })) found.push(stored);
		return found;
	}
}
