import assert from 'node:assert/strict';
import { HttpTransport } from '@holdfast/transport-http';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { proveContract } from './contract.js';
import { MapInfoSessionManager } from './map-info-session-manager.js';
import { MapStreamSessionManager } from './map-stream-session-manager.js';

const info = new MapInfoSessionManager();
const transport = new HttpTransport(() => new McpServer({ name: 'consumer', version: '1.0.0' }), {
	sessionManager: { streams: new MapStreamSessionManager(), info },
});

async function respond(init: RequestInit): Promise<Response> {
	const response = await transport.respond(new Request('http://127.0.0.1/mcp', init));
	assert(response);
	assert.equal(response.status, 200);
	return response;
}

const initialize = {
	jsonrpc: '2.0',
	id: 1,
	method: 'initialize',
	params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'packaging', version: '1.0.0' } },
};
const headers = { Host: '127.0.0.1', Accept: 'application/json, text/event-stream' };
const initialized = await respond({
	method: 'POST',
	headers: { ...headers, 'Content-Type': 'application/json' },
	body: JSON.stringify(initialize),
});
assert.match(await initialized.text(), /"serverInfo":\{"name":"consumer","version":"1\.0\.0"\}/);

const id = initialized.headers.get('Mcp-Session-Id');
assert(id);
assert.equal((await info.getClientInfo(id))?.name, 'packaging');

const stream = await respond({ method: 'GET', headers: { ...headers, 'Mcp-Session-Id': id } });
assert(stream.body);
const events = stream.body.pipeThrough(new TextDecoderStream());
await transport.notify.toolsChanged();
for await (const text of events) {
	if (text.includes('notifications/tools/list_changed')) break;
}

await transport.close();
console.log(`session ${id} was told`);
console.log(`${await proveContract()} promises are kept`);
