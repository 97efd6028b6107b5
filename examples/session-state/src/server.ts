// One node with all five patterns. Without REDIS_URL it keeps its sessions in memory and works alone.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { InMemoryInfoSessionManager, InMemoryStreamSessionManager } from '@holdfast/session-manager';
import { RedisInfoSessionManager, RedisStreamSessionManager } from '@holdfast/session-manager-redis';
import { HttpTransport, shutdown } from '@holdfast/transport-http';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { addCache } from './cache.js';
import { addCart } from './cart.js';
import { addCounter } from './counter.js';
import { addForm } from './form.js';
import { addPreferences } from './preferences.js';

const { PORT = '3001', REDIS_URL } = process.env;

const streams = REDIS_URL ? new RedisStreamSessionManager(REDIS_URL) : new InMemoryStreamSessionManager();
const info = REDIS_URL ? new RedisInfoSessionManager(REDIS_URL) : new InMemoryInfoSessionManager();

const transport = new HttpTransport(
	(session) => {
		const server = new McpServer({ name: 'session-state', version: '1.0.0' });
		for (const add of [addCounter, addCart, addForm, addCache, addPreferences]) add(server, session);
		return server;
	},
	{ sessionManager: { streams, info }, onerror: (error) => console.error(error.message) },
);

const server = createServer(transport.handle).listen(Number(PORT), '127.0.0.1', () => {
	console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`);
});

// No balancer has to notice first.
process.once('SIGTERM', () => shutdown(server, [transport], { delayMs: 0, idleConnectionsMs: 0 }));
