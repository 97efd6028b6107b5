import type { Session } from '@holdfast/session-manager';
import { ConversationError } from '../contract/conversation-error.js';
import type { Conversations } from '../conversation/conversations.js';
import type { PersonConversations } from '../conversation/person-conversations.js';

/** Who everybody is who is not signed in. */
export const ANONYMOUS = 'anonymous';

/** What both SDKs tell a handler of who calls; v1 in the first way, v2 in the second. */
export interface CallExtra {
	readonly authInfo?: AuthInfoLike | undefined;
	readonly http?: { readonly authInfo?: AuthInfoLike | undefined } | undefined;
}

interface AuthInfoLike {
	readonly extra?: Readonly<Record<string, unknown>> | undefined;
}

/** Finds out whose conversations a request is about. */
export class Caller {
	readonly #conversations: Conversations;
	readonly #session: Pick<Session, 'principal'> | undefined;
	readonly #principal: string | undefined;

	constructor(
		conversations: Conversations,
		session: Pick<Session, 'principal'> | undefined,
		principal: string | undefined,
	) {
		this.#conversations = conversations;
		this.#session = session;
		this.#principal = principal;
	}

	/** Returns the conversations of whoever makes a call. Throws `forbidden` where they have no name that lasts. */
	of(extra: CallExtra | undefined): PersonConversations {
		return this.#conversations.of(this.#principal ?? this.#signedIn(extra));
	}

	/** Does the same where nothing is told about the call; `undefined` where the call alone would tell. */
	known(): PersonConversations | undefined {
		if (this.#principal === undefined && this.#session === undefined) return undefined;
		try {
			return this.of(undefined);
		} catch {
			return undefined;
		}
	}

	#signedIn(extra: CallExtra | undefined): string {
		if (this.#session !== undefined) {
			const person = personOf(this.#session.principal);
			if (person === undefined) throw nameless();
			return person;
		}
		const authInfo = extra?.authInfo ?? extra?.http?.authInfo;
		if (authInfo === undefined) return ANONYMOUS;
		const { iss, sub } = authInfo.extra ?? {};
		if (typeof sub !== 'string' || sub === '') throw nameless();
		// As transports name the principal of a session, so that a person is the same in both eras.
		return `${typeof iss === 'string' ? iss.replaceAll(' ', '%20') : ''} ${sub}`;
	}
}

/** Returns the person that a transport calls `principal`; `undefined` where it knows a credential, but no name. */
export function personOf(principal = ANONYMOUS): string | undefined {
	// Such a principal is made of the credential and random bytes: another session of the same person has another.
	return principal.startsWith('credential:') ? undefined : principal;
}

function nameless(): ConversationError {
	return new ConversationError(
		'forbidden',
		'This server knows your credential, but not who you are, so it cannot keep conversations for you. ' +
			'Its operator must let authentication return extra.sub, or set the option principal.',
	);
}
