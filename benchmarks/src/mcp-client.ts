import assert from 'node:assert/strict';
import {
	commonHeaders,
	echoCall,
	echoResult,
	echoText,
	initialize,
	initialized,
	statelessHeaders,
	statelessMeta,
	versionHeader,
} from './mcp-messages.js';
import { serverKinds } from './server-kinds.js';
import type { ServerProcess } from './server-process.js';

const parallel = 16;

/** Opens `count` sessions, a few at a time, and returns their ids. Rejects if one is refused. */
export async function openSessions(server: ServerProcess, count: number): Promise<string[]> {
	const ids: string[] = [];
	let left = count;
	const open = async (): Promise<void> => {
		while (left-- > 0) ids.push(await openSession(server));
	};
	await Promise.all(Array.from({ length: parallel }, open));
	return ids;
}

async function openSession(server: ServerProcess): Promise<string> {
	const hello = await post(server, commonHeaders, initialize);
	await hello.text();
	const id = hello.headers.get('mcp-session-id');
	if (hello.status !== 200 || id === null) {
		throw new Error(`The server "${server.kind}" responded to initialize with ${hello.status} and session ${id}.`);
	}
	const ready = await post(server, { ...commonHeaders, ...versionHeader, 'Mcp-Session-Id': id }, initialized);
	await ready.text();
	if (!ready.ok)
		throw new Error(`The server "${server.kind}" responded to notifications/initialized with ${ready.status}.`);
	return id;
}

/**
 * Calls the echo tool in every session; `undefined` stands for a call without one. Rejects unless each response is
 * exactly right.
 */
export async function assertEchoes(server: ServerProcess, sessions: readonly (string | undefined)[]): Promise<void> {
	for (const [index, session] of sessions.entries()) {
		const id = 1_000_000 + index;
		const own = session === undefined ? statelessHeaders : { ...versionHeader, 'Mcp-Session-Id': session };
		const body = echoCall(id, session === undefined ? statelessMeta : undefined);
		const response = await post(server, { ...commonHeaders, ...own }, body);
		const text = await response.text();
		const context = `Wrong response of "${server.kind}" to tools/call`;
		assert.equal(response.status, 200, `${context}: ${text}`);
		const message = messageIn(response.headers.get('content-type') ?? '', text);
		assert.deepEqual(message.result?.content, echoResult(echoText).content, `${context}: ${text}`);
		if (serverKinds[server.kind].responses === 'mcp') assert.equal(message.id, id, `${context}: ${text}`);
	}
}

/** Calls a tool without arguments. Rejects unless it returns a result. */
export async function callTool(server: ServerProcess, session: string, name: string): Promise<void> {
	const params = { name, arguments: {} };
	const headers = { ...commonHeaders, ...versionHeader, 'Mcp-Session-Id': session };
	const response = await post(server, headers, JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params }));
	const text = await response.text();
	assert.ok(
		response.status === 200 && text.includes('"result"'),
		`Wrong response of "${server.kind}" to ${name}: ${text}`,
	);
}

/** Ends a session. */
export async function endSession(server: ServerProcess, session: string): Promise<void> {
	const headers = { 'Mcp-Session-Id': session };
	const response = await fetch(`http://127.0.0.1:${server.port}/mcp`, { method: 'DELETE', headers });
	await response.text();
	assert.equal(response.status, 200);
}

/** Returns whether a server accepts a message of this session. */
export async function isKnown(server: ServerProcess, session: string): Promise<boolean> {
	const response = await post(server, { ...commonHeaders, ...versionHeader, 'Mcp-Session-Id': session }, initialized);
	await response.text();
	return response.status === 202;
}

interface EchoResponse {
	readonly id?: unknown;
	readonly result?: { readonly content?: unknown };
}

/** Returns the only message of a response, which may be JSON or an SSE stream. */
function messageIn(contentType: string, text: string): EchoResponse {
	if (!contentType.startsWith('text/event-stream')) return JSON.parse(text);
	const data = text.split('\n').flatMap((line) => /^data: ?(.+)$/.exec(line)?.[1] ?? []);
	assert.equal(data.length, 1, `One message was expected in ${text}`);
	return JSON.parse(data[0] ?? '');
}

function post(server: ServerProcess, headers: Record<string, string>, body: string): Promise<Response> {
	return fetch(`http://127.0.0.1:${server.port}/mcp`, { method: 'POST', headers, body });
}
