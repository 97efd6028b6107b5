import { ConversationError } from '../contract/conversation-error.js';
import { type ConversationHead, type Role, roleOf, type StoredConversation } from '../contract/conversation-record.js';
import type { Home } from './home.js';

/** What somebody wants to do with a conversation. */
export interface Need {
	readonly role: Role;
	/** Which states allow it: any, those that have not ended, or only an active one. */
	readonly state: 'any' | 'living' | 'active';
}

const RANK: Readonly<Record<Role, number>> = { reader: 1, writer: 2, owner: 3 };

/** How often a change of a head is tried again when others change it at the same time. */
const MAX_ATTEMPTS = 50;

/** The error for a conversation that is not there, or that is none of the caller's business: nobody can tell which. */
export function notFound(id: string): ConversationError {
	return new ConversationError(
		'not-found',
		`There is no conversation "${id}". List your conversations to see which there are, or create it.`,
	);
}

/** Returns the conversation where `principal` may do what they need. Throws otherwise. */
export async function admitted(home: Home, id: string, principal: string, need: Need): Promise<StoredConversation> {
	const stored = await home.store.read(id);
	const role = stored && roleOf(stored.head, principal);
	if (stored === undefined || role === undefined) throw notFound(id);
	checkNeed(stored.head, role, need);
	return stored;
}

function checkNeed({ id, state }: ConversationHead, role: Role, need: Need): void {
	if (RANK[role] < RANK[need.role]) {
		throw new ConversationError(
			'forbidden',
			`You are a ${role} of "${id}", and this needs a ${need.role}. Ask the owner, or only read.`,
		);
	}
	if (state === 'terminated' && need.state !== 'any') {
		throw new ConversationError(
			'terminated',
			`"${id}" has ended: it can be read and searched, but not changed. Create a new conversation to go on.`,
		);
	}
	if (state === 'suspended' && need.state === 'active') {
		throw new ConversationError('suspended', `"${id}" is suspended. Resume it first, then try again.`);
	}
}

/**
 * Changes the head of a conversation. `change` is called again with the newer head when somebody else was faster; where
 * it returns `undefined`, nothing is written. Returns the heads before and after.
 */
export async function changeHead(
	home: Home,
	id: string,
	principal: string,
	need: Need,
	change: (head: ConversationHead) => ConversationHead | undefined,
): Promise<{ readonly before: ConversationHead; readonly head: ConversationHead }> {
	const perOwner = home.limits.maxConversationsPerPerson || undefined;
	for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
		const stored = await admitted(home, id, principal, need);
		const next = change(stored.head);
		if (next === undefined) return { before: stored.head, head: stored.head };
		const head = { ...next, updatedAt: home.clock.now() };
		if (await home.store.write(id, stored.version, head, { perOwner })) {
			return { before: stored.head, head };
		}
	}
	throw new ConversationError('conflict', `Others keep changing "${id}": try again.`);
}
