import {
	isJSONRPCErrorResponse,
	isJSONRPCNotification,
	isJSONRPCRequest,
	isJSONRPCResultResponse,
} from '@modelcontextprotocol/sdk/types.js';
import fc from 'fast-check';
import { type JsonValue, mcpBody } from './mcp-messages.ts';

/** One HTTP request as a hostile client makes it; each part is right or wrong on its own. */
export interface HostileRequest {
	readonly method: string;
	readonly path: string;
	/** `own`, or text that names no session of the client. */
	readonly session: 'own' | undefined | { readonly text: string };
	readonly version: string | undefined;
	readonly accept: string | undefined;
	readonly contentType: string | undefined;
	readonly origin: string | undefined;
	readonly lastEventId: string | undefined;
	/** Text that is no JSON, or a value that is sent as JSON. */
	readonly body: { readonly text: string } | { readonly value: JsonValue };
}

/** What must come of it. */
export interface Expected {
	readonly statuses: readonly number[];
	/** Of the JSON-RPC error, where the body is one. */
	readonly code?: number;
	/** Ids of requests; each must be answered, on the stream or as JSON. */
	readonly answered?: readonly JsonValue[];
	/** Ids of requests that were cancelled in the same batch: they may stay without a response. */
	readonly maybeAnswered?: readonly JsonValue[];
	/** A stream that stays open. */
	readonly stream?: boolean;
}

const rarely = <T>(right: T, wrong: fc.Arbitrary<T>): fc.Arbitrary<T> =>
	fc.oneof({ weight: 40, arbitrary: fc.constant(right) }, { weight: 1, arbitrary: wrong });
/** Printable Latin-1: what a client library lets through. */
const headerText = fc
	.uint8Array({ maxLength: 40 })
	.map((bytes) => String.fromCharCode(...bytes.filter((byte) => byte > 32 && byte !== 127)));

const anyRequest: fc.Arbitrary<HostileRequest> = fc.record({
	method: rarely('POST', fc.constantFrom('GET', 'GET', 'DELETE', 'OPTIONS', 'PUT', 'PATCH', 'HEAD')),
	path: rarely('/mcp', fc.constantFrom('/mcp?x=1', '/mcp/', '/MCP', '/', '/mcp2', '/mcp/mcp')),
	session: rarely<HostileRequest['session']>(
		'own',
		fc.oneof(
			fc.constant(undefined),
			fc
				.constantFrom('unknown', '', 'a b', '*', ' *', '../../etc/passwd', '__proto__', 'x'.repeat(300))
				.map((text) => ({ text })),
			headerText.map((text) => ({ text })),
		),
	),
	version: rarely<string | undefined>(
		'2025-06-18',
		fc.constantFrom(
			undefined,
			'2025-11-25',
			'2025-03-26',
			'2024-11-05',
			'1999-01-01',
			'2026-07-28',
			'',
			'2025-11-25, 2025-06-18',
		),
	),
	accept: rarely<string | undefined>(
		'application/json, text/event-stream',
		fc.constantFrom(
			undefined,
			'*/*',
			'application/*, text/*',
			'application/json',
			'text/event-stream',
			'text/html',
			'',
			'*/*;q=0',
			'TEXT/EVENT-STREAM;q=0.1, Application/JSON',
		),
	),
	contentType: rarely<string | undefined>(
		'application/json',
		fc.constantFrom(
			'application/json; charset=utf-8',
			'APPLICATION/JSON',
			'text/plain',
			'application/jsonp',
			'',
			';',
			'multipart/form-data',
		),
	),
	origin: rarely<string | undefined>(
		undefined,
		fc.constantFrom(
			'http://localhost:5173',
			'https://127.0.0.1',
			'http://localhost.evil.com',
			'null',
			'http://evil.com#localhost',
			'localhost',
			'http://localhost/',
		),
	),
	lastEventId: rarely<string | undefined>(
		undefined,
		fc.oneof(
			fc.constantFrom('', '0', 'x-0', 'x-0/node.0', 'x-0/node.0.MQ', '/', 'x-0/../..', 'x'.repeat(600), 'x-0/node.0.!'),
			headerText,
		),
	),
	body: fc.oneof(
		{ weight: 30, arbitrary: mcpBody.map((value) => ({ value })) },
		{ weight: 1, arbitrary: fc.string().map((text) => ({ text })) },
	),
});

/**
 * A request of MCP over HTTP that is right, or wrong in one place or a few. Most that open a session name none, as they
 * should.
 */
export const hostileRequest = fc
	.tuple(anyRequest, fc.nat(3))
	.map(
		([request, chance]): HostileRequest =>
			chance > 0 && opens(request) ? { ...request, session: undefined } : request,
	);

function opens({ body, session }: HostileRequest): boolean {
	const value = 'value' in body ? body.value : null;
	return (
		session === 'own' &&
		value !== null &&
		typeof value === 'object' &&
		'method' in value &&
		value['method'] === 'initialize'
	);
}

const allowedOrigins = ['http://localhost:5173', 'https://127.0.0.1'];
const acceptsJson = [
	'application/json, text/event-stream',
	'*/*',
	'application/*, text/*',
	'TEXT/EVENT-STREAM;q=0.1, Application/JSON',
];
const acceptsStream = [...acceptsJson, 'text/event-stream'];
const jsonTypes = ['application/json', 'application/json; charset=utf-8', 'APPLICATION/JSON'];
const versions = [undefined, '2025-06-18', '2025-11-25', '2025-03-26', '2024-11-05'];

const refused = (status: number, code: number): Expected => ({ statuses: [status], code });

/**
 * What the specification, and the house where it leaves room, demand as the response to `request` of a session of
 * `revision`.
 */
export function expectedOf(request: HostileRequest, revision: string): Expected {
	const { method, path, origin, accept } = request;
	if (!['/mcp', '/mcp/', '/mcp?x=1'].includes(path)) return { statuses: [404] };
	if (origin !== undefined && !allowedOrigins.includes(origin)) return refused(403, -32000);
	if (method === 'OPTIONS') return { statuses: [204] };
	if (method === 'POST') {
		if (accept === undefined || !acceptsJson.includes(accept)) return refused(406, -32000);
		if (request.contentType === undefined || !jsonTypes.includes(request.contentType)) return refused(415, -32000);
		// The session is looked up before the body is read.
		const notAdmitted = request.session === undefined ? undefined : gate(request);
		return notAdmitted ?? expectedOfBody(request, revision);
	}
	if (method === 'DELETE') return gate(request) ?? { statuses: [200] };
	if (method !== 'GET') return refused(405, -32000);
	if (accept === undefined || !acceptsStream.includes(accept)) return refused(406, -32000);
	if (request.lastEventId) return gate(request) ?? { statuses: [200, 400, 405], stream: true };
	return gate(request) ?? { statuses: [200], stream: true };
}

/** Why the request is not admitted to a session. */
function gate({ session, version }: HostileRequest): Expected | undefined {
	if (session === undefined) return refused(400, -32000);
	if (session !== 'own') return refused(404, -32001);
	if (!versions.includes(version)) return refused(400, -32000);
	return undefined;
}

function expectedOfBody(request: HostileRequest, revision: string): Expected {
	const { body, session } = request;
	const value = 'value' in body ? body.value : parse(body.text);
	if (value === undefined) return refused(400, -32700);
	if (Array.isArray(value)) return expectedOfBatch(request, value, revision);
	const kind = kindOf(value);
	if (kind === 'none') return refused(400, -32600);
	const { id, method } = value as { id: JsonValue; method: string };
	if (kind === 'request' && method === 'initialize') {
		if (session === undefined) return { statuses: [200], answered: [id] };
		return refused(400, -32600);
	}
	const notAdmitted = gate(request);
	if (notAdmitted !== undefined) return notAdmitted;
	if (kind === 'request') return { statuses: [200], answered: [id] };
	return { statuses: [202] };
}

function expectedOfBatch(request: HostileRequest, values: readonly JsonValue[], revision: string): Expected {
	const kinds = values.map(kindOf);
	const methodOf = (value: JsonValue) => (value as { method?: JsonValue }).method;
	if (values.length === 0 || values.length > 100 || kinds.includes('none')) return refused(400, -32600);
	if (values.some((value) => methodOf(value) === 'initialize')) return refused(400, -32600);
	const notAdmitted = gate(request);
	if (notAdmitted !== undefined) return notAdmitted;
	if (revision !== '2025-03-26') return refused(400, -32600);
	const ids = values.filter((_, index) => kinds[index] === 'request').map((value) => (value as { id: JsonValue }).id);
	if (new Set(ids).size < ids.length) return refused(400, -32600);
	if (ids.length === 0) return { statuses: [202] };
	const cancelled = values
		.filter((value) => methodOf(value) === 'notifications/cancelled')
		.map((value) => (value as { params?: { requestId?: JsonValue } }).params?.requestId);
	return {
		statuses: [200],
		answered: ids.filter((id) => !cancelled.includes(id)),
		maybeAnswered: ids.filter((id) => cancelled.includes(id)),
	};
}

/** What the official SDK takes `value` for, once members that are not JSON-RPC's are left out. */
export function kindOf(value: JsonValue): 'request' | 'notification' | 'response' | 'none' {
	if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'none';
	const { jsonrpc, id, method, params, result, error } = value;
	const named = { jsonrpc, ...(id !== undefined && { id }) };
	if (method !== undefined) {
		const call = { ...named, method, ...(params !== undefined && { params }) };
		if (id !== undefined) return isJSONRPCRequest(call) ? 'request' : 'none';
		return isJSONRPCNotification(call) ? 'notification' : 'none';
	}
	if (result !== undefined)
		return error === undefined && isJSONRPCResultResponse({ ...named, result }) ? 'response' : 'none';
	return id !== undefined && isJSONRPCErrorResponse({ ...named, error }) ? 'response' : 'none';
}

function parse(text: string): JsonValue | undefined {
	try {
		return JSON.parse(text) as JsonValue;
	} catch {
		return undefined;
	}
}
