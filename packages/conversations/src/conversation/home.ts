import type { Clock } from '@holdfast/session-manager';
import type { ConversationHead } from '../contract/conversation-record.js';
import type { ConversationStore } from '../contract/conversation-store.js';
import type { DetailCache } from '../reading/detail-cache.js';
import type { ConversationLimits } from './limits.js';
import type { Observation } from './observer.js';
import type { ShareLinks } from './share-links.js';

/** What changed, as the resources that show it. */
export interface ConversationChange {
	readonly conversation: string;
	/** The URIs of the resources that look different now. */
	readonly uris: readonly string[];
	/** The persons whose list of conversations looks different now. Absent: nobody's. */
	readonly listOf?: readonly string[] | undefined;
}

/** Returns the change of a conversation from one head to another, with `uris`; `undefined`: there is none. */
export function changeOf(
	before: ConversationHead | undefined,
	after: ConversationHead | undefined,
	uris: readonly string[],
): ConversationChange {
	const [old, now] = [listedOf(before), listedOf(after)];
	const listOf = [...new Set([...old.keys(), ...now.keys()])].filter((person) => old.get(person) !== now.get(person));
	return { conversation: (after ?? before)?.id ?? '', uris, ...(listOf.length > 0 && { listOf }) };
}

/** Returns who has a conversation in their list, and what is shown of it there. */
function listedOf(head: ConversationHead | undefined): ReadonlyMap<string, string> {
	if (head === undefined || head.state === 'terminated') return new Map();
	const shown = JSON.stringify([head.title, head.description]);
	return new Map(
		head.members.filter(({ role }) => role !== 'former').map(({ principal }) => [principal, shown] as const),
	);
}

/** What the parts of one `Conversations` share. It knows none of them. */
export interface Home {
	readonly store: ConversationStore;
	readonly limits: ConversationLimits;
	readonly clock: Clock;
	readonly links: ShareLinks;
	readonly cache: DetailCache;
	readonly touchIntervalMs: number;
	/** Whether the oldest active conversation of a person makes room for another. */
	readonly suspendsOldest: boolean;
	readonly observation: Observation;
	changed(change: ConversationChange): unknown;
}

/** Returns the URI of a conversation, or of a part of it: `history`, `context` and `discoveries`. */
export function conversationUri(id: string, part?: 'history' | 'discoveries'): string {
	return `conversation://${encodeURIComponent(id)}${part === undefined ? '' : `/${part}`}`;
}

/** Returns the URI of a value in a context. */
export function contextUri(id: string, key: string): string {
	return `${conversationUri(id)}/context/${encodeURIComponent(key)}`;
}
