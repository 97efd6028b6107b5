import { onTestFinished } from 'vitest';

/** A JSON-RPC message, as loosely as a test needs it. */
export type Message = { id?: unknown; method?: string; params?: Record<string, unknown>; result?: unknown };

const version = '2025-11-25';

/** Opens a session with bare requests, so that a test sees which stream carries what; answers its id. */
export async function openSession(url: string): Promise<string> {
	const response = await post(url, undefined, {
		id: 0,
		method: 'initialize',
		params: { protocolVersion: version, capabilities: {}, clientInfo: { name: 'bare', version: '1' } },
	});
	await response.text();
	const sessionId = response.headers.get('mcp-session-id') ?? '';
	await post(url, sessionId, { method: 'notifications/initialized' });
	return sessionId;
}

/** Calls a tool; answers with the whole HTTP response. */
export function callTool(url: string, sessionId: string, name: string, args: object): Promise<Response> {
	return post(url, sessionId, { id: 1, method: 'tools/call', params: { name, arguments: args } });
}

/** Opens the session stream. It is closed when the test is over. */
export async function openStream(url: string, sessionId: string): Promise<Response> {
	const abort = new AbortController();
	onTestFinished(() => abort.abort());
	return fetch(url, { headers: headers(sessionId, 'text/event-stream'), signal: abort.signal });
}

/** The messages of an SSE stream, until it ends. */
export async function* messagesOf(response: Response): AsyncGenerator<Message> {
	let rest = '';
	for await (const text of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
		const events = (rest + text).split('\n\n');
		rest = events.pop() ?? '';
		for (const event of events) {
			const data = /^data: (.+)$/m.exec(event)?.[1];
			if (data !== undefined) yield JSON.parse(data);
		}
	}
}

function post(url: string, sessionId: string | undefined, message: object): Promise<Response> {
	return fetch(url, {
		method: 'POST',
		headers: { ...headers(sessionId, 'application/json, text/event-stream'), 'Content-Type': 'application/json' },
		body: JSON.stringify({ jsonrpc: '2.0', ...message }),
	});
}

function headers(sessionId: string | undefined, accept: string): Record<string, string> {
	return sessionId === undefined
		? { Accept: accept }
		: { Accept: accept, 'Mcp-Session-Id': sessionId, 'MCP-Protocol-Version': version };
}
