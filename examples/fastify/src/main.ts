// Starts the server on a free port, talks to it as a client does, and fails when a response is wrong.
import assert from 'node:assert/strict';
import { converse } from '@holdfast/example-conversation';

process.env.PORT = '0';
const { app, transport } = await import('./server.js');
const origin = app.listeningOrigin;

await converse(`${origin}/mcp`, () => transport.notify.toolsChanged());
const echo = await fetch(`${origin}/echo`, {
	method: 'POST',
	headers: { 'Content-Type': 'application/json' },
	body: '{"other":"routes"}',
});
assert.deepEqual(await echo.json(), { other: 'routes' });

await app.close();
console.log('fastify: sessions hold, and other routes have their body parser');
