/** The messages that all measurements exchange. One place, so that every server is asked the same. */

const protocolVersion = '2025-11-25';
export const echoText = 'hello world, this is the echo argument of the benchmark';
export const serverInfo = { name: 'benchmark', version: '1.0.0' };

/** The result of the echo tool on every server. */
export function echoResult(text: string): { content: { type: 'text'; text: string }[] } {
	return { content: [{ type: 'text', text }] };
}

export const initialize = JSON.stringify({
	jsonrpc: '2.0',
	id: 1,
	method: 'initialize',
	params: {
		protocolVersion,
		capabilities: { elicitation: {}, sampling: {} },
		clientInfo: { name: 'benchmark-client', version: '1.0.0' },
	},
});

export const initialized = JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' });

/** What every server sends in a broadcast. */
export const toolsChanged = JSON.stringify({ jsonrpc: '2.0', method: 'notifications/tools/list_changed' });

/** Calls the echo tool. */
export function echoCall(id: number, _meta?: object): string {
	return JSON.stringify({
		jsonrpc: '2.0',
		id,
		method: 'tools/call',
		params: { name: 'echo', arguments: { text: echoText }, ...(_meta && { _meta }) },
	});
}

/** What a request of 2026-07-28 says of its client. */
export const statelessMeta = {
	'io.modelcontextprotocol/protocolVersion': '2026-07-28',
	'io.modelcontextprotocol/clientCapabilities': { elicitation: {}, sampling: {} },
	'io.modelcontextprotocol/clientInfo': { name: 'benchmark-client', version: '1.0.0' },
};

/** Opens a stream that hears of changed tools (2026-07-28). */
export const listen = JSON.stringify({
	jsonrpc: '2.0',
	id: 1,
	method: 'subscriptions/listen',
	params: { notifications: { toolsListChanged: true }, _meta: statelessMeta },
});

/** The headers that go with it. */
export const listenHeaders = { 'MCP-Protocol-Version': '2026-07-28', 'Mcp-Method': 'subscriptions/listen' } as const;

/** The headers of a call of 2026-07-28. */
export const statelessHeaders = {
	'MCP-Protocol-Version': '2026-07-28',
	'Mcp-Method': 'tools/call',
	'Mcp-Name': 'echo',
} as const;

/** The headers of every request; the protocol version is added after `initialize`. */
export const commonHeaders = {
	'Content-Type': 'application/json',
	Accept: 'application/json, text/event-stream',
} as const;

export const versionHeader = { 'MCP-Protocol-Version': protocolVersion } as const;
