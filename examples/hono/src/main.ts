// Starts the server on a free port, talks to it as a client does, and fails when a response is wrong.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { converse } from '@holdfast/example-conversation';
import { shutdown } from '@holdfast/transport-http';

process.env.PORT = '0';
const { server, transport } = await import('./server.js');
if (!server.listening) await once(server, 'listening');
const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

for (const way of ['true', 'false']) {
	process.env.FETCH = way;
	await converse(`${origin}/mcp`, () => transport.notify.toolsChanged());
}
const echo = await fetch(`${origin}/echo`, {
	method: 'POST',
	headers: { 'Content-Type': 'application/json' },
	body: '{"other":"routes"}',
});
assert.deepEqual(await echo.json(), { other: 'routes' });

// Nobody else uses it: there is nothing to wait for.
await shutdown(server as Server, [transport], { delayMs: 0, idleConnectionsMs: 0 });
console.log('hono: sessions hold through fetch requests and responses, and past them');
