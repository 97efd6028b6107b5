import {
	type EndedSession,
	expiryOf,
	LOG_LEVELS,
	type NodeRecord,
	SessionManagerError,
	type SessionRecord,
} from '@holdfast/session-manager/custom';
import { sharedValue } from '@holdfast/session-manager/internal';
import * as v from 'valibot';
import { numberOf, type Row, textOf } from './file/connection.js';

const object = v.record(v.string(), v.any());
const sharedObject = v.pipe(object, v.transform(sharedValue));

const record = v.object({
	id: v.string(),
	principal: v.optional(v.string()),
	remoteAddress: v.optional(v.string()),
	claims: v.optional(object),
	protocolVersion: v.string(),
	initializeParams: sharedObject,
	serverCapabilities: sharedObject,
	logLevel: v.optional(v.picklist(LOG_LEVELS)),
	createdAt: v.number(),
	broadcastsSince: v.optional(v.string()),
	idleTtlMs: v.optional(v.number()),
	endsAt: v.optional(v.number()),
	status: v.optional(v.picklist(['opening', 'active', 'suspended'])),
	transport: v.optional(v.literal('sse')),
	keepEndedMs: v.optional(v.number()),
	kind: v.optional(v.string()),
});

const node = v.object({
	id: v.string(),
	version: v.string(),
	address: v.optional(v.string()),
	startedAt: v.number(),
	state: v.picklist(['ready', 'draining']),
	counts: v.record(v.string(), v.number()),
});

/** Returns a record as it is stored: without the time of its last use, which has a column of its own. */
export function recordText({ lastUsedAt: _, ...fixed }: SessionRecord): string {
	return JSON.stringify(fixed);
}

/** Parses a record. Throws `corrupt` for data that this package did not write. */
export function readRecord(row: Row): SessionRecord {
	return { ...parsed(record, textOf(row['record']), 'session'), lastUsedAt: Number(row['last_used_at']) };
}

/** Parses a session that was ended, or has expired at `now`. */
export function readEndedRecord(row: Row, now: number): EndedSession {
	const record = readRecord(row);
	const endedAt = numberOf(row['ended_at']);
	if (endedAt !== undefined) return { record, endedAt, reason: textOf(row['reason']) };
	return { record, endedAt: expiryOf(record) ?? now, reason: 'expired' };
}

/** Parses what a node announced. Throws `corrupt` for data that this package did not write. */
export function readNode(text: string): NodeRecord {
	return parsed(node, text, 'node');
}

function parsed<T>(schema: v.GenericSchema<unknown, T>, text: string, what: string): T {
	try {
		return v.parse(schema, JSON.parse(text));
	} catch (cause) {
		throw new SessionManagerError('corrupt', `A stored ${what} cannot be read.`, { cause });
	}
}
