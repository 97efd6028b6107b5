// Starts the server on a free port, talks to it as a client does, and fails when a response is wrong.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { converse } from '@holdfast/example-conversation';

process.env.PORT = '0';
const { server, transport } = await import('./server.js');
if (!server.listening) await once(server, 'listening');
const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

await converse(`${origin}/mcp`, () => transport.notify.toolsChanged());
const echo = await fetch(`${origin}/echo`, {
	method: 'POST',
	headers: { 'Content-Type': 'application/json' },
	body: '{"other":"routes"}',
});
assert.deepEqual(await echo.json(), { other: 'routes' });

await transport.close();
server.close();
// Otherwise an unused connection of fetch would keep the server open for some seconds.
if ('closeAllConnections' in server) server.closeAllConnections();
console.log('hono: sessions hold through fetch requests and responses');
