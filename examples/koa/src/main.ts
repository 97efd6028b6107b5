// Starts the servers on free ports, talks to them as a client does, and fails when a response is wrong.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { converse } from '@holdfast/example-conversation';
import { shutdown } from '@holdfast/transport-http';

process.env.PORT = '0';
const { server, transport } = await import('./server.js');
const { server: afterParsers } = await import('./after-parsers.js');

for (const http of [server, afterParsers])
	await converse(`${await originOf(http)}/mcp`, () => transport.notify.toolsChanged());
const echo = await fetch(`${await originOf(server)}/echo`, {
	method: 'POST',
	headers: { 'Content-Type': 'application/json' },
	body: '{"other":"routes"}',
});
assert.deepEqual(await echo.json(), { other: 'routes' });

// Nobody else uses them: there is nothing to wait for.
for (const http of [server, afterParsers]) await shutdown(http, [transport], { delayMs: 0, idleConnectionsMs: 0 });
console.log('koa: sessions hold, before and after a body parser');

async function originOf(http: Server): Promise<string> {
	if (!http.listening) await once(http, 'listening');
	return `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
}
