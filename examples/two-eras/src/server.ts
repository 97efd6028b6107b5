// One node. Start any number of them with the same Redis and the same key: together they are one server of both eras.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { redisSessionManager } from '@holdfast/session-manager-redis';
import { HttpTransport, shutdown } from '@holdfast/transport-http';
import { makeServer } from './booking-server.js';

const { PORT = '3001', REDIS_URL = 'redis://127.0.0.1:6379', REQUEST_STATE_KEY = '' } = process.env;

const transport: HttpTransport = new HttpTransport(() => makeServer(transport), {
	sessionManager: redisSessionManager(REDIS_URL),
	stateless: { requestState: { keys: [REQUEST_STATE_KEY] } },
	onerror: (error) => console.error(error.message),
});

const server = createServer(transport.handle).listen(Number(PORT), '127.0.0.1', () => {
	console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`);
});

// Tells clients of both eras, whichever node holds their streams.
process.on('SIGUSR2', () => void transport.notify.toolsChanged());
// No balancer has to notice first.
process.once('SIGTERM', () => shutdown(server, [transport], { delayMs: 0, idleConnectionsMs: 0 }));
