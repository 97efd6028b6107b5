import {
	type JsonObject,
	LOG_LEVELS,
	SessionManagerError,
	type SessionPatch,
	type SessionRecord,
} from '@holdfast/session-manager';
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
});
const fixed = v.object({
	id: v.string(),
	principal: v.optional(v.string()),
	claims: v.optional(v.record(v.string(), v.any())),
	protocolVersion: v.string(),
	serverCapabilities: v.record(v.string(), v.any()),
	createdAt: v.number(),
});

/** A record as fields and values of a hash, in turn. */
export function recordFields(record: SessionRecord): string[] {
	const { initializeParams, lastUsedAt, logLevel, idleTtlMs, endsAt, ...rest } = record;
	return [
		'record',
		JSON.stringify(rest),
		'lastUsedAt',
		String(lastUsedAt),
		...recordPatch({ initializeParams, logLevel, idleTtlMs, endsAt }).set,
	];
}

/** What a patch sets, as fields and values in turn, and the fields that it removes. */
export function recordPatch(patch: SessionPatch): { readonly set: string[]; readonly removed: string[] } {
	const set: string[] = [];
	const removed: string[] = [];
	for (const [field, value] of Object.entries(patch)) {
		if (value === undefined) removed.push(field);
		else set.push(field, typeof value === 'object' ? JSON.stringify(value) : String(value));
	}
	return { set, removed };
}

/** Reads a record back; `undefined` where there is none. Throws `corrupt` for what we did not write. */
export function readRecord(fields: Record<string, string>): SessionRecord | undefined {
	if (Object.keys(fields).length === 0) return undefined;
	try {
		const { record, ...changing } = v.parse(hash, fields);
		return { ...v.parse(fixed, record), ...changing };
	} catch (cause) {
		throw new SessionManagerError('corrupt', 'A stored session cannot be read.', { cause });
	}
}
