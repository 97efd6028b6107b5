import type { Json, JsonObject } from '@holdfast/session-manager';
import {
	array,
	boolean,
	check,
	type GenericSchema,
	integer,
	minValue,
	number,
	object,
	optional,
	parse,
	picklist,
	pipe,
	string,
	union,
	unknown,
} from 'valibot';
import type {
	ConversationHead,
	Discovery,
	Message,
	NewDiscovery,
	NewMessage,
} from '../contract/conversation-record.js';
import type { ContextChange, KeptEntry } from './context-table.js';

/** A message as it is stored: where it lies says whether it is archived. */
export type StoredMessage = Omit<Message, 'archived'>;

/** What of a message its author chooses. */
export type Said = Omit<NewMessage, 'at' | 'by'>;

/** What of a discovery its author chooses. */
export type Found = Omit<NewDiscovery, 'at' | 'by'>;

/** A head with its version. */
export interface HeadFile {
	readonly version: number;
	readonly head: ConversationHead;
}

/** A context at one version. */
export interface Snapshot {
	readonly version: number;
	readonly entries: readonly KeptEntry[];
}

const json = unknown() as GenericSchema<Json>;
const jsonObject = pipe(
	unknown(),
	check((value) => typeof value === 'object' && value !== null && !Array.isArray(value), 'It must be a JSON object.'),
) as unknown as GenericSchema<JsonObject>;
const count = pipe(number(), integer(), minValue(1));

const visit = object({ at: number(), message: number(), discovery: number() });
const head = object({
	id: string(),
	title: string(),
	project: string(),
	description: string(),
	metadata: jsonObject,
	owner: string(),
	members: array(
		object({
			principal: string(),
			role: picklist(['owner', 'writer', 'reader', 'former']),
			since: number(),
			link: optional(string()),
			visit: optional(visit),
		}),
	),
	links: array(
		object({
			id: string(),
			role: picklist(['writer', 'reader']),
			createdAt: number(),
			expiresAt: number(),
			revokedAt: optional(number()),
		}),
	),
	state: picklist(['active', 'suspended', 'terminated']),
	createdAt: number(),
	updatedAt: number(),
	lastUsedAt: number(),
	suspendedAt: optional(number()),
	resumedAt: optional(number()),
	terminatedAt: optional(number()),
	endReason: optional(string()),
});
const headFile = object({ version: count, head });
const said = object({
	role: picklist(['user', 'assistant', 'system', 'tool']),
	content: union([string(), array(jsonObject)]),
	metadata: optional(jsonObject),
});
const message = object({ number: count, ...said.entries, at: number(), by: optional(string()) });
const change = union([
	object({ version: count, removed: array(string()) }),
	object({ version: count, used: array(string()), at: number() }),
	object({
		version: count,
		key: string(),
		value: json,
		at: number(),
		by: optional(string()),
		archived: optional(array(string())),
	}),
]);
const snapshot = object({
	// 0 is what older versions wrote where there was nothing.
	version: pipe(number(), integer(), minValue(0)),
	entries: array(
		object({
			key: string(),
			value: json,
			version: string(),
			addedAt: number(),
			updatedAt: number(),
			accessedAt: number(),
			by: optional(string()),
			archived: boolean(),
		}),
	),
});
const found = object({
	kind: picklist(['finding', 'hypothesis', 'question', 'decision']),
	title: string(),
	description: string(),
	relevance: number(),
	evidence: object({ messages: array(number()), context: array(string()) }),
	resolves: array(number()),
});
const discovery = object({ number: count, ...found.entries, at: number(), by: optional(string()) });

/** Reads a stored head without its version; throws where it is none. */
export const readConversationHead = (value: unknown): ConversationHead => parse(head, value);
/** Reads a stored head; throws where it is none. */
export const readHead = (value: unknown): HeadFile => parse(headFile, value);
/** Reads what somebody says, as it is read once it is stored; throws where it is no message. */
export const readSaid = (value: unknown): Said => parse(said, value);
/** Reads a stored message; throws where it is none. */
export const readMessage = (value: unknown): StoredMessage => parse(message, value);
/** Reads a stored change of a context; throws where it is none. */
export const readChange = (value: unknown): ContextChange => parse(change, value) as ContextChange;
/** Reads a stored context; throws where it is none. */
export const readSnapshot = (value: unknown): Snapshot => parse(snapshot, value) as Snapshot;
/** Reads what somebody found, as it is read once it is stored; throws where it is no discovery. */
export const readFound = (value: unknown): Found => parse(found, value);
/** Reads a stored discovery; throws where it is none. */
export const readDiscovery = (value: unknown): Discovery => parse(discovery, value);
