import {
	type ClientInfo,
	type EndedSession,
	expiryOf,
	type JsonObject,
	LOG_LEVELS,
	type NodeRecord,
	patched,
	SessionManagerError,
	type SessionPatch,
	type SessionRecord,
} from '@holdfast/session-manager/custom';
import { parseShared } from '@holdfast/session-manager/internal';
import * as v from 'valibot';
import type { Row } from './connection/connection.js';
import type { UpdatedField } from './sql/info-statements.js';
import { originalText, storedText } from './stored-text.js';

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

/** The columns of a session. */
const row = v.object({
	id: text,
	principal: v.nullable(text),
	record: jsonObject,
	initialize_params: sharedObject,
	client_info: v.nullable(sharedObject),
	client_capabilities: v.nullable(sharedObject),
	server_capabilities: sharedObject,
	protocol_version: text,
	log_level: v.nullable(v.picklist(LOG_LEVELS)),
	status: v.nullable(v.picklist(['opening', 'active', 'suspended'])),
	created_at: v.number(),
	last_used_at: v.number(),
	idle_ttl_ms: v.nullable(v.number()),
	ends_at: v.nullable(v.number()),
	keep_ended_ms: v.nullable(v.number()),
	kind: v.nullable(text),
	ended_at: v.nullable(v.number()),
	end_reason: v.nullable(text),
});

/** What the column `record` has. */
const others = v.object({
	claims: v.optional(v.record(v.string(), v.any())),
	broadcastsSince: v.optional(v.string()),
	transport: v.optional(v.literal('sse')),
	remoteAddress: v.optional(v.string()),
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
export function readNode(stored: unknown): NodeRecord {
	const { success, output, issues } = v.safeParse(node, stored);
	if (success) return output;
	throw new SessionManagerError('corrupt', 'A stored node cannot be read.', { cause: issues });
}

/** Parses a record. Throws `corrupt` for data that this package did not write. */
export function readRecord(columns: Row): SessionRecord {
	return read(columns).record;
}

/** Parses a session that was ended, or has expired. */
export function readEndedRecord(columns: Row): EndedSession | undefined {
	const { record, endedAt, reason } = read(columns);
	if (endedAt !== null && reason !== null) return { record, endedAt, reason };
	const expiry = expiryOf(record);
	return expiry === undefined ? undefined : { record, endedAt: expiry, reason: 'expired' };
}

function read(columns: Row): { record: SessionRecord; endedAt: number | null; reason: string | null } {
	try {
		const stored = v.parse(row, columns);
		const record: SessionRecord = {
			id: stored.id,
			...v.parse(others, stored.record),
			initializeParams: stored.initialize_params,
			serverCapabilities: stored.server_capabilities,
			protocolVersion: stored.protocol_version,
			createdAt: stored.created_at,
			lastUsedAt: stored.last_used_at,
			...(stored.principal !== null && { principal: stored.principal }),
			...(stored.log_level !== null && { logLevel: stored.log_level }),
			...(stored.status !== null && { status: stored.status }),
			...(stored.idle_ttl_ms !== null && { idleTtlMs: stored.idle_ttl_ms }),
			...(stored.ends_at !== null && { endsAt: stored.ends_at }),
			...(stored.keep_ended_ms !== null && { keepEndedMs: stored.keep_ended_ms }),
			...(stored.kind !== null && { kind: stored.kind }),
		};
		const replaced = {
			clientInfo: (stored.client_info ?? undefined) as ClientInfo | undefined,
			clientCapabilities: stored.client_capabilities ?? undefined,
		};
		return { record: patched(record, replaced), endedAt: stored.ended_at, reason: stored.end_reason };
	} catch (cause) {
		throw new SessionManagerError('corrupt', 'A stored session cannot be read.', { cause });
	}
}

/** Returns the values of a new session for the function that creates it, up to its kind. */
export function recordValues(record: SessionRecord, principalHash: Buffer | null): unknown[] {
	const { claims, broadcastsSince, transport, remoteAddress, initializeParams } = record;
	return [
		storedText(record.id),
		principalHash,
		record.principal === undefined ? null : storedText(record.principal),
		clientOf(initializeParams.clientInfo),
		JSON.stringify({ claims, broadcastsSince, transport, remoteAddress }),
		JSON.stringify(initializeParams),
		JSON.stringify(record.serverCapabilities),
		storedText(record.protocolVersion),
		record.logLevel ?? null,
		record.status ?? null,
		record.createdAt,
		record.lastUsedAt,
		record.idleTtlMs ?? null,
		record.endsAt ?? null,
		record.keepEndedMs ?? null,
		record.kind === undefined ? null : storedText(record.kind),
	];
}

/** Returns whom a session counts for when there is no room. */
export function ownerOf({ principal, remoteAddress }: SessionRecord): { owner: string; isVerified: boolean } {
	const isVerified = principal !== undefined && remoteAddress === undefined;
	return { isVerified, owner: isVerified ? `principal ${principal}` : `address ${remoteAddress ?? ''}` };
}

/** Returns the columns that a patch sets, with their values. */
export function patchValues(patch: SessionPatch): ReadonlyMap<UpdatedField, unknown> {
	const values = new Map<UpdatedField, unknown>();
	const { initializeParams, clientInfo, clientCapabilities, serverCapabilities, protocolVersion, ...plain } = patch;
	for (const [field, value] of Object.entries(plain)) values.set(field as keyof typeof plain, value ?? null);
	if (protocolVersion !== undefined) values.set('protocolVersion', storedText(protocolVersion));
	if (serverCapabilities !== undefined) values.set('serverCapabilities', JSON.stringify(serverCapabilities));
	// Members that were replaced on their own are columns of their own, and give way to the whole.
	if (initializeParams !== undefined) {
		values.set('initializeParams', JSON.stringify(initializeParams));
		values.set('client', clientOf(initializeParams.clientInfo));
		values.set('clientInfo', null);
		values.set('clientCapabilities', null);
	}
	if (clientInfo !== undefined) {
		values.set('clientInfo', JSON.stringify(clientInfo));
		values.set('client', clientOf(clientInfo));
	}
	if (clientCapabilities !== undefined) values.set('clientCapabilities', JSON.stringify(clientCapabilities));
	return values;
}

/** How a client is shown to operators. */
function clientOf(clientInfo: unknown): string {
	const { name, version } = (clientInfo ?? {}) as Partial<ClientInfo>;
	return storedText(`${String(name ?? '')} ${String(version ?? '')}`.trim().slice(0, 200));
}
