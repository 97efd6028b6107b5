import {
	type EndedSession,
	expiryOf,
	type JsonObject,
	LOG_LEVELS,
	SessionManagerError,
	type SessionRecord,
} from '@holdfast/session-manager/custom';
import * as v from 'valibot';

const jsonObject = v.pipe(
	v.string(),
	v.rawTransform(({ dataset, addIssue, NEVER }): JsonObject => {
		try {
			const value: unknown = JSON.parse(dataset.value);
			if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonObject;
		} catch {
			// Reported below, with what is no object.
		}
		addIssue({ message: 'not a JSON object' });
		return NEVER;
	}),
);
const time = v.pipe(v.string(), v.transform(Number), v.number());

/** Fields that may change, apart from those that never do. */
const hash = v.object({
	record: jsonObject,
	initializeParams: jsonObject,
	lastUsedAt: time,
	logLevel: v.optional(v.picklist(LOG_LEVELS)),
	idleTtlMs: v.optional(time),
	endsAt: v.optional(time),
	principal: v.optional(v.string()),
	status: v.optional(v.picklist(['opening', 'active', 'suspended'])),
	keepEndedMs: v.optional(time),
	protocolVersion: v.optional(v.string()),
	serverCapabilities: v.optional(jsonObject),
});
const ended = v.object({ endedAt: time, endReason: v.string() });
const fixed = v.object({
	id: v.string(),
	claims: v.optional(v.record(v.string(), v.any())),
	protocolVersion: v.string(),
	serverCapabilities: v.record(v.string(), v.any()),
	createdAt: v.number(),
	transport: v.optional(v.literal('sse')),
});

/** A record as fields and values of a hash, in turn. */
export function recordFields(record: SessionRecord): string[] {
	const { id, claims, protocolVersion, serverCapabilities, createdAt, transport, ...changing } = record;
	const fixed = { id, claims, protocolVersion, serverCapabilities, createdAt, transport };
	return ['record', JSON.stringify(fixed), ...fieldsOf(changing).set];
}

/** What is set, as fields and values in turn, and the fields that are removed. */
export function fieldsOf(patch: Partial<SessionRecord>): { readonly set: string[]; readonly removed: string[] } {
	const set: string[] = [];
	const removed: string[] = [];
	for (const [field, value] of Object.entries(patch)) {
		if (value === undefined) removed.push(field);
		else set.push(field, typeof value === 'object' ? JSON.stringify(value) : String(value));
	}
	return { set, removed };
}

/** Reads a record back; `undefined` where there is none. Throws `corrupt` for what we did not write. */
export function readRecord(stored: Record<string, string>): SessionRecord | undefined {
	if (Object.keys(stored).length === 0) return undefined;
	try {
		const { record, ...changing } = v.parse(hash, stored);
		const { protocolVersion, serverCapabilities, ...fields } = changing;
		return {
			...v.parse(fixed, record),
			...fields,
			...(protocolVersion !== undefined && { protocolVersion }),
			...(serverCapabilities !== undefined && { serverCapabilities }),
		};
	} catch (cause) {
		throw new SessionManagerError('corrupt', 'A stored session cannot be read.', { cause });
	}
}

/** Reads what is kept of a session that was ended, or that has expired at `now`; `undefined` where it still lives. */
export function readEndedRecord(fields: Record<string, string>, now: number): EndedSession | undefined {
	const record = readRecord(fields);
	if (record === undefined) return undefined;
	if ('endedAt' in fields) {
		const { endedAt, endReason } = v.parse(ended, fields);
		return { record, endedAt, reason: endReason };
	}
	const expiry = expiryOf(record);
	return expiry === undefined || expiry > now ? undefined : { record, endedAt: expiry, reason: 'expired' };
}
