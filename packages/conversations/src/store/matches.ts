import { ConversationError } from '../contract/conversation-error.js';
import { type ConversationHead, roleOf } from '../contract/conversation-record.js';
import type { ConversationFilter, StoreLimits } from '../contract/conversation-store.js';
import type { SearchRequest } from '../contract/search-request.js';

/** Returns whether a list with `filter` shows the conversation. */
export function matches(head: ConversationHead, { principal, states, unusedSince }: ConversationFilter): boolean {
	return (
		(principal === undefined || head.members.some((member) => member.principal === principal)) &&
		(states === undefined || states.includes(head.state)) &&
		(unusedSince === undefined || head.lastUsedAt < unusedSince)
	);
}

/** Returns whether a search looks into the conversation. */
export function isSearched(head: ConversationHead, { conversation, principal }: SearchRequest): boolean {
	return (
		(conversation === undefined || head.id === conversation) &&
		(principal === undefined || roleOf(head, principal) !== undefined)
	);
}

/** Throws where `head` would be one conversation too many beside `others`. */
export function checkLimits(
	head: ConversationHead,
	others: Iterable<ConversationHead>,
	{ perOwner = Number.POSITIVE_INFINITY, total = Number.POSITIVE_INFINITY }: StoreLimits,
): void {
	let [owned, all] = [0, 0];
	for (const { owner, state } of others) {
		if (state !== 'terminated') all++;
		if (state === 'active' && owner === head.owner) owned++;
	}
	if (all >= total) throw tooMany(total);
	if (head.state === 'active' && owned >= perOwner) throw tooManyOf(perOwner);
}

/** The error of a store that is full. */
export function tooMany(total: number): ConversationError {
	return new ConversationError(
		'limit',
		`The store already holds ${total} conversations. End some that are over, then try again.`,
	);
}

/** The error of an owner who has too many. */
export function tooManyOf(perOwner: number): ConversationError {
	return new ConversationError(
		'limit',
		`You already have ${perOwner} active conversations. Suspend or end some of them, then try again.`,
	);
}
