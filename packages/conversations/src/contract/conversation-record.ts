import type { Json, JsonObject } from '@holdfast/session-manager';

/** What a person may do: everything, read and write, or read. */
export type Role = 'owner' | 'writer' | 'reader';

/**
 * Where a conversation stands: `active` while it goes on, `suspended` while it rests and no node holds anything of it
 * in memory, `terminated` once it has ended for good.
 */
export type ConversationState = 'active' | 'suspended' | 'terminated';

/** How far a member had read when they last resumed the conversation. */
export interface Visit {
	readonly at: number;
	/** The number of the last message then; 0: there was none. */
	readonly message: number;
	/** The number of the last discovery then; 0: there was none. */
	readonly discovery: number;
}

/** Somebody who takes part in a conversation. */
export interface Member {
	readonly principal: string;
	/** `former`: they may do nothing any more, and are kept so that what they wrote can be erased. */
	readonly role: Role | 'former';
	readonly since: number;
	/** The share link by which they joined. */
	readonly link?: string | undefined;
	readonly visit?: Visit | undefined;
}

/** A share link that was made for a conversation, without its secret. */
export interface ShareLinkRecord {
	readonly id: string;
	readonly role: Exclude<Role, 'owner'>;
	readonly createdAt: number;
	readonly expiresAt: number;
	readonly revokedAt?: number | undefined;
}

/**
 * What a conversation is, without what was said in it. Times are in milliseconds since the Unix epoch.
 */
export interface ConversationHead {
	readonly id: string;
	readonly title: string;
	readonly project: string;
	readonly description: string;
	readonly metadata: JsonObject;
	readonly owner: string;
	/** Everybody who takes part, the owner included. */
	readonly members: readonly Member[];
	readonly links: readonly ShareLinkRecord[];
	readonly state: ConversationState;
	readonly createdAt: number;
	/** When the head was last changed. */
	readonly updatedAt: number;
	/** When the conversation was last used, as precisely as touches are throttled. */
	readonly lastUsedAt: number;
	readonly suspendedAt?: number | undefined;
	readonly resumedAt?: number | undefined;
	readonly terminatedAt?: number | undefined;
	/** Why the conversation ended. */
	readonly endReason?: string | undefined;
}

/**
 * A head as it is stored. A conversation that is created under the id of a deleted one has none of its versions and
 * revisions, and its values have no version that values of the deleted one had.
 */
export interface StoredConversation {
	readonly head: ConversationHead;
	/** Changes with every write of the head, and never repeats while the conversation exists. */
	readonly version: string;
	/** Changes with every write of anything: head, messages, context and discoveries. */
	readonly revision: string;
}

/** How much a conversation holds. */
export interface ConversationCounts {
	/** The number of the last message; 0: there is none. */
	readonly messages: number;
	/** How many of the messages are in the archive. */
	readonly archivedMessages: number;
	/** How many values are in the context, without the archived ones. */
	readonly context: number;
	/** The size of these values with their keys, as JSON in UTF-8. */
	readonly contextBytes: number;
	/** How many values are in the archive. */
	readonly archivedContext: number;
	/** The number of the last discovery; 0: there is none. */
	readonly discoveries: number;
	/** About how much is stored in all, in bytes. */
	readonly bytes: number;
}

/** Who says something. */
export type MessageRole = 'user' | 'assistant' | 'system' | 'tool';

/** What is said: text, or content blocks as MCP has them. */
export type MessageContent = string | readonly JsonObject[];

/** A message before it has a number. */
export interface NewMessage {
	readonly role: MessageRole;
	readonly content: MessageContent;
	readonly at: number;
	/** The person who added it. */
	readonly by?: string | undefined;
	readonly metadata?: JsonObject | undefined;
}

/** A message. Messages of a conversation are numbered from 1 without holes, in the order in which they were added. */
export interface Message extends NewMessage {
	readonly number: number;
	/** Whether it was moved from the working history to the archive. */
	readonly archived: boolean;
}

/** A named value that holds now. */
export interface ContextEntry {
	readonly key: string;
	readonly value: Json;
	/** Changes with every write of this key, and never repeats for it while the conversation exists. */
	readonly version: string;
	readonly type: 'string' | 'number' | 'boolean' | 'null' | 'array' | 'object';
	/** The size of key and value as JSON in UTF-8. */
	readonly bytes: number;
	readonly addedAt: number;
	readonly updatedAt: number;
	readonly accessedAt: number;
	/** The person who wrote it last. */
	readonly by?: string | undefined;
	/** Whether it was moved to the archive. Writing the key again brings it back. */
	readonly archived: boolean;
}

/** A value to write. */
export interface ContextWrite {
	readonly value: Json;
	readonly at: number;
	readonly by?: string | undefined;
}

/** What kind of discovery it is. A question is open until a later discovery resolves it. */
export type DiscoveryKind = 'finding' | 'hypothesis' | 'question' | 'decision';

/** A discovery before it has a number. */
export interface NewDiscovery {
	readonly kind: DiscoveryKind;
	readonly title: string;
	readonly description: string;
	/** How much it matters, or how sure it is: from 0 to 1. */
	readonly relevance: number;
	readonly at: number;
	readonly by?: string | undefined;
	/** The messages and the keys of the context that it rests on. */
	readonly evidence: { readonly messages: readonly number[]; readonly context: readonly string[] };
	/** The numbers of earlier discoveries that it settles, such as questions and hypotheses. */
	readonly resolves: readonly number[];
}

/** A discovery. Discoveries of a conversation are numbered from 1 without holes. */
export interface Discovery extends NewDiscovery {
	readonly number: number;
}

/** What stands in place of what a person wrote once that person's data are erased. */
export const ERASED = '[erased]';

/** Returns what stays of a discovery once its author's data are erased: no text, and none of the keys that it names. */
export function erasedDiscovery(discovery: Discovery): Discovery {
	const { by: _by, ...rest } = discovery;
	return { ...rest, title: ERASED, description: ERASED, evidence: { ...rest.evidence, context: [] } };
}

/** Returns the type of a value of the context. */
export function typeOfValue(value: Json): ContextEntry['type'] {
	if (value === null) return 'null';
	return Array.isArray(value) ? 'array' : (typeof value as 'string' | 'number' | 'boolean' | 'object');
}

/** Returns the size of a key with its value, in bytes. */
export function bytesOfEntry(key: string, value: Json): number {
	return Buffer.byteLength(key) + Buffer.byteLength(JSON.stringify(value));
}

/** Returns whether `principal` may write now: an owner or writer, while the conversation is active. */
export function mayWrite(head: ConversationHead, principal: string): boolean {
	const role = roleOf(head, principal);
	return head.state === 'active' && (role === 'owner' || role === 'writer');
}

/** Returns the role of `principal`; `undefined` for a stranger. */
export function roleOf(head: ConversationHead, principal: string): Role | undefined {
	const role = head.members.find((member) => member.principal === principal)?.role;
	return role === 'former' ? undefined : role;
}
