import {
	type ClientInfo,
	type EndedSession,
	encodableText,
	expiryOf,
	type JsonObject,
	LOG_LEVELS,
	type NodeRecord,
	originalText,
	patched,
	SessionManagerError,
	type SessionPatch,
	type SessionRecord,
} from '@holdfast/session-manager/custom';
import { parseShared, sharedValue } from '@holdfast/session-manager/internal';
import * as v from 'valibot';

const objectOf = (parse: (text: string) => unknown) =>
	v.pipe(
		v.string(),
		v.rawTransform(({ dataset, addIssue, NEVER }): JsonObject => {
			try {
				const value = parse(dataset.value);
				if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonObject;
			} catch {
				// Reported below, like JSON that is not an object.
			}
			addIssue({ message: 'not a JSON object' });
			return NEVER;
		}),
	);
const jsonObject = objectOf(JSON.parse);
const sharedObject = objectOf(parseShared);
const text = v.pipe(v.string(), v.transform(originalText));
const time = v.pipe(v.string(), v.transform(Number), v.number());

/** The fields of the hash: those that can change, and the JSON of the others. */
const hash = v.object({
	record: jsonObject,
	initializeParams: sharedObject,
	lastUsedAt: time,
	logLevel: v.optional(v.picklist(LOG_LEVELS)),
	idleTtlMs: v.optional(time),
	endsAt: v.optional(time),
	principal: v.optional(text),
	remoteAddress: v.optional(text),
	status: v.optional(v.picklist(['opening', 'active', 'suspended'])),
	keepEndedMs: v.optional(time),
	kind: v.optional(text),
	protocolVersion: v.optional(v.string()),
	serverCapabilities: v.optional(sharedObject),
	clientInfo: v.optional(sharedObject),
	clientCapabilities: v.optional(sharedObject),
});
const ended = v.object({ endedAt: time, endReason: text });
const fixed = v.object({
	id: v.string(),
	claims: v.optional(v.record(v.string(), v.any())),
	protocolVersion: v.string(),
	serverCapabilities: v.pipe(v.record(v.string(), v.any()), v.transform(sharedValue)),
	createdAt: v.number(),
	broadcastsSince: v.optional(v.string()),
	transport: v.optional(v.literal('sse')),
});

const node = v.pipe(
	jsonObject,
	v.object({
		id: v.string(),
		version: v.string(),
		address: v.optional(v.string()),
		startedAt: v.number(),
		state: v.picklist(['ready', 'draining']),
		counts: v.record(v.string(), v.number()),
	}),
);

/** Parses what a node announced. Throws `corrupt` for data that this package did not write. */
export function readNode(stored: string): NodeRecord {
	const { success, output, issues } = v.safeParse(node, stored);
	if (success) return output;
	throw new SessionManagerError('corrupt', 'A stored node cannot be read.', { cause: issues });
}

/** Returns a record as alternating fields and values of a hash. */
export function recordFields(record: SessionRecord): string[] {
	const { id, claims, protocolVersion, serverCapabilities, createdAt, ...others } = record;
	const { broadcastsSince, transport, ...changing } = others;
	const fixed = { id, claims, protocolVersion, serverCapabilities, createdAt, broadcastsSince, transport };
	return ['record', JSON.stringify(fixed), ...fieldsOf(changing).set];
}

/** Returns the fields to set, alternating with their values, and the fields to remove. */
export function fieldsOf(patch: Partial<SessionRecord> & SessionPatch): {
	readonly set: string[];
	readonly removed: string[];
} {
	const set: string[] = [];
	const removed: string[] = [];
	for (const [field, value] of Object.entries(patch)) {
		if (value === undefined) removed.push(field);
		else set.push(field, typeof value === 'object' ? JSON.stringify(value) : encodableText(String(value)));
	}
	// Members that were replaced on their own are fields of their own, and give way to the whole.
	if (patch.initializeParams !== undefined) {
		if (patch.clientInfo === undefined) removed.push('clientInfo');
		if (patch.clientCapabilities === undefined) removed.push('clientCapabilities');
	}
	return { set, removed };
}

/** Parses a record; `undefined` when there is none. Throws `corrupt` for data that this package did not write. */
export function readRecord(stored: Record<string, string>): SessionRecord | undefined {
	if (Object.keys(stored).length === 0) return undefined;
	try {
		const { record, ...changing } = v.parse(hash, stored);
		const { protocolVersion, serverCapabilities, clientInfo, clientCapabilities, ...fields } = changing;
		const read: SessionRecord = {
			...v.parse(fixed, record),
			...fields,
			...(protocolVersion !== undefined && { protocolVersion }),
			...(serverCapabilities !== undefined && { serverCapabilities }),
		};
		return patched(read, { clientInfo: clientInfo as ClientInfo | undefined, clientCapabilities });
	} catch (cause) {
		throw new SessionManagerError('corrupt', 'A stored session cannot be read.', { cause });
	}
}

/** Parses a session that was ended, or has expired. */
export function readEndedRecord(fields: Record<string, string>): EndedSession | undefined {
	const record = readRecord(fields);
	if (record === undefined) return undefined;
	if ('endedAt' in fields) {
		const { endedAt, endReason } = v.parse(ended, fields);
		return { record, endedAt, reason: endReason };
	}
	const expiry = expiryOf(record);
	return expiry === undefined ? undefined : { record, endedAt: expiry, reason: 'expired' };
}
