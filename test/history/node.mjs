// One node of the checker: an HttpTransport on the managers of a store, as users build one, which writes what its
// parent asks it to.
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { PostgresInfoSessionManager, PostgresStreamSessionManager } from '@holdfast/session-manager-postgres';
import { RedisInfoSessionManager, RedisStreamSessionManager } from '@holdfast/session-manager-redis';
import { SqliteInfoSessionManager, SqliteStreamSessionManager } from '@holdfast/session-manager-sqlite';
import { HttpTransport } from '@holdfast/transport-http';
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { CallToolRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { Cluster, Redis } from 'ioredis';
import { mutate } from './mutants.mjs';

const { connection, history, mutant } = JSON.parse(process.argv[2] ?? '{}');

function connect() {
	if (connection.cluster) return new Cluster(connection.cluster);
	return new Redis({ maxRetriesPerRequest: null, ...connection.redis });
}

function managers() {
	if (connection.file) {
		const Streams = mutate(SqliteStreamSessionManager, mutant);
		return [new Streams(connection.file, { history }), new SqliteInfoSessionManager(connection.file)];
	}
	if (connection.postgres) {
		const Streams = mutate(PostgresStreamSessionManager, mutant);
		// A crash of the server may take nothing back, so that everything can be demanded.
		const options = { history, durability: 'strict' };
		return [new Streams(connection.postgres, options), new PostgresInfoSessionManager(connection.postgres, options)];
	}
	const redis = connect();
	return [new (mutate(RedisStreamSessionManager, mutant))(redis, { history }), new RedisInfoSessionManager(redis)];
}

const [streams, info] = managers();

function buildServer() {
	const capabilities = { logging: {}, tools: { listChanged: true }, resources: { listChanged: true, subscribe: true } };
	const server = new Server({ name: 'history', version: '1' }, { capabilities });
	server.setRequestHandler(CallToolRequestSchema, async ({ params }, { sendNotification }) => {
		const { writer, to, count } = params.arguments;
		for (let n = 1; n <= count; n++) {
			const message = { level: 'info', data: { writer, n, to } };
			if (params.name === 'log') {
				await server.sendLoggingMessage(message);
				continue;
			}
			await sendNotification({ method: 'notifications/message', params: message });
			if (n % 3 === 0) await sleep(20);
		}
		return { content: [] };
	});
	return server;
}

const transport = new HttpTransport(buildServer, {
	sessionManager: { streams, info },
	retryMs: 10,
	onerror: (error) => process.send?.({ error: `${error.message} ${error.cause?.message ?? ''}` }),
});
const http = createServer(transport.handle);

process.on('message', async ({ id, ids, events }) => {
	// Every call is made before the first is awaited: the order of calls is what is promised.
	const sent = events.map((event) => streams.send(ids, event));
	const outcomes = (await Promise.allSettled(sent)).map(({ status, reason }) =>
		status === 'fulfilled' ? 'taken' : (reason.code ?? String(reason)),
	);
	process.send?.({ id, outcomes });
});
process.on('disconnect', () => process.exit());

http.listen(0, '127.0.0.1', () => process.send?.({ port: http.address().port }));
