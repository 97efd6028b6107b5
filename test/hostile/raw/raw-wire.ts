import fc from 'fast-check';

/** A header field; names may repeat. */
export type Header = readonly [name: string, value: string];

const json = (value: unknown) => JSON.stringify(value);
export const ping = json({ jsonrpc: '2.0', id: 1, method: 'ping' });
export const notification = json({ jsonrpc: '2.0', method: 'notifications/initialized' });
/** A call of the tool `echo` with these arguments, which are JSON or something like it. */
export const call = (args: string) =>
	`{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"echo","arguments":${args}}}`;

/** What every request must name. */
export const host: Header = ['Host', 'localhost'];
/** Headers of a POST that is as it should be. */
export const mcp: readonly Header[] = [
	host,
	['Accept', 'application/json, text/event-stream'],
	['Content-Type', 'application/json'],
	['Mcp-Session-Id', '$SESSION'],
	['MCP-Protocol-Version', '2025-11-25'],
];

/** Writes a request, whatever it is made of. */
export function request(line: string, headers: readonly Header[], body = ''): string {
	return `${line}\r\n${headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`;
}

/** Writes a POST with the length of its body. */
export function post(body: string, headers = mcp): string {
	return request('POST /mcp HTTP/1.1', [...headers, ['Content-Length', String(body.length)]], body);
}

const sound = [
	post(ping),
	post(notification),
	post(call('{"text":"hi"}')),
	request('DELETE /mcp HTTP/1.1', [host, ['Mcp-Session-Id', 'unknown']]),
	request('GET /mcp HTTP/1.1', [host, ['Accept', 'text/event-stream'], ['Mcp-Session-Id', 'unknown']]),
	request('OPTIONS /mcp HTTP/1.1', [host, ['Origin', 'http://localhost:3000']]),
];
/** Requests that are as they should be. */
export const soundRequest = fc.constantFrom(...sound);

/** Any bytes, as text of one character each. */
export const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((array) => String.fromCharCode(...array));
