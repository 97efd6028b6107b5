// Starts the server on a free port, talks to it as a client does, and fails when a response is wrong.
import assert from 'node:assert/strict';
import { converse } from '@holdfast/example-conversation';
import { HttpTransport } from '@holdfast/transport-http';

process.env.PORT = '0';
const { app } = await import('./server.js');
const origin = await app.getUrl();

await converse(`${origin}/mcp`, () => app.get(HttpTransport).notify.toolsChanged());
const echo = await fetch(`${origin}/echo`, {
	method: 'POST',
	headers: { 'Content-Type': 'application/json' },
	body: '{"other":"routes"}',
});
assert.deepEqual(await echo.json(), { other: 'routes' });

await app.close();
console.log('nestjs: sessions hold, behind a controller');
