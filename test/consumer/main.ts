import assert from 'node:assert/strict';
import { HttpTransport } from '@holdfast/transport-http';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { MapInfoSessionManager } from './map-info-session-manager.js';
import { MapStreamSessionManager } from './map-stream-session-manager.js';

const info = new MapInfoSessionManager();
const transport = new HttpTransport(() => new McpServer({ name: 'consumer', version: '1.0.0' }), {
	sessionManager: { streams: new MapStreamSessionManager(), info },
});

const response = await transport.respond(
	new Request('http://127.0.0.1/mcp', {
		method: 'POST',
		headers: { 'Content-Type': 'application/json', Accept: 'application/json, text/event-stream', Host: '127.0.0.1' },
		body: JSON.stringify({
			jsonrpc: '2.0',
			id: 1,
			method: 'initialize',
			params: {
				protocolVersion: '2025-11-25',
				capabilities: {},
				clientInfo: { name: 'packaging-test', version: '1.0.0' },
			},
		}),
	}),
);

assert.equal(response.status, 200);
const text = await response.text();
assert.match(text, /"serverInfo":\{"name":"consumer","version":"1\.0\.0"\}/);
const id = response.headers.get('Mcp-Session-Id');
assert(id);
assert.equal((await info.getClientInfo(id))?.name, 'packaging-test');
await transport.close();
console.log(`session ${id} is stored`);
