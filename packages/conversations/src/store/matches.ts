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
	{ perOwner, keptPerOwner, total }: StoreLimits,
): void {
	let [kept, owned, all] = [0, 0, 0];
	for (const { owner, state } of others) {
		if (state !== 'terminated') all++;
		if (owner !== head.owner) continue;
		kept++;
		if (state === 'active') owned++;
	}
	if (keptPerOwner !== undefined && kept >= keptPerOwner) throw tooManyKept(keptPerOwner);
	if (total !== undefined && all >= total) throw tooMany(total);
	if (perOwner !== undefined && head.state === 'active' && owned >= perOwner) throw tooManyOf(perOwner);
}

/** The error of a store that is full. */
export function tooMany(total: number): ConversationError {
	return new ConversationError(
		'limit',
		`The store already holds ${total} conversations. End some that are over, then try again.`,
	);
}

/** The error of an owner who has too many, in whatever state. */
export function tooManyKept(keptPerOwner: number): ConversationError {
	return new ConversationError(
		'limit',
		`You already have ${keptPerOwner} conversations, suspended and ended ones included. Erase some, then try again.`,
	);
}

/** The error of an owner who has too many active ones. */
export function tooManyOf(perOwner: number): ConversationError {
	return new ConversationError(
		'limit',
		`You already have ${perOwner} active conversations. Suspend or end some of them, then try again.`,
	);
}
