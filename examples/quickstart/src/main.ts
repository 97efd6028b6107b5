// Starts the server on a free port, talks to it as a client does, and fails when a response is wrong.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { shutdown } from '@holdfast/transport-http';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';

process.env.PORT = '0';
const { server, transport } = await import('./server.js');
if (!server.listening) await once(server, 'listening');
const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`);

const client = new Client({ name: 'quickstart-client', version: '1.0.0' });
await client.connect(new StreamableHTTPClientTransport(url));
for (const calls of [1, 2]) {
	const { content } = await client.callTool({ name: 'count', arguments: {} });
	assert.deepEqual(content, [{ type: 'text', text: `Call ${calls} of this session.` }]);
}
await client.close();

// Nobody else uses it: there is nothing to wait for.
await shutdown(server, [transport], { delayMs: 0, idleConnectionsMs: 0 });
console.log('quickstart: one tool, one session, two calls counted');
