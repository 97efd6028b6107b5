import { fileURLToPath } from 'node:url';
import { describeConversationStore } from '@holdfast/conversations/testing';
import { postgresSessionManager } from '@holdfast/session-manager-postgres';
import { PostgresConversationStore } from '@holdfast/session-manager-postgres/conversations';
import { afterAll, beforeAll, describe, it, onTestFinished } from 'vitest';
import { PostgresServer } from '../../../test/support/postgres/postgres-server.ts';
import { until } from '../../../test/support/until.ts';
import { testPersons } from '../../conversations/test/support/person-tests.ts';
import { testProcesses } from '../../conversations/test/support/process-tests.ts';
import { sampleHead } from '../../conversations/test/support/samples.ts';
import { WriterProcess } from '../../conversations/test/support/writer-process.ts';

const schema = 'kit';
let server: PostgresServer;
/** They serve one case after the other: to connect takes longer than most cases. */
const stores: PostgresConversationStore[] = [];
beforeAll(async () => {
	server = await PostgresServer.create();
});
afterAll(async () => {
	for (const store of stores) store.close();
	await server?.dispose();
});

/** A store that is connected: a busy machine may take longer for that than a call waits. */
async function open(): Promise<PostgresConversationStore> {
	const store = new PostgresConversationStore(server.url, { schema });
	await works(store);
	return store;
}

function works(store: PostgresConversationStore): Promise<boolean> {
	return until('the store is connected', async () => (await store.read('nothing')) === undefined, 20_000);
}

async function work(): Promise<void> {
	for (const store of stores) await works(store);
}

describeConversationStore(
	{
		abilities: ['crossNode', 'durable', 'outages', 'corruption'],
		async createStores(count) {
			while (stores.length < count) stores.push(await open());
			return {
				stores,
				backend: {
					async restart() {
						await server.crash();
						await server.start();
						await work();
						return stores[0] as PostgresConversationStore;
					},
					fail: () => server.pause(),
					async heal() {
						server.resume();
						await work();
					},
					async damage(id, part) {
						await server.query(
							part === 'head'
								? `update ${schema}.conversation set head = '{' where id = $1`
								: `update ${schema}.message m set said = '{' from ${schema}.conversation c
									where c.key = m.conversation and c.id = $1`,
							[id],
						);
					},
				},
				async close() {
					for (const store of stores) store.onerror = undefined;
					const tables = ['conversation', 'member', 'message', 'context', 'discovery'];
					await server.query(tables.map((table) => `delete from ${schema}.${table}`).join('; '));
				},
			};
		},
	},
	{ describe, it },
);

const program = fileURLToPath(new URL('./support/conversation-writer.mjs', import.meta.url));

testProcesses(async () => {
	const connect = () => {
		const store = new PostgresConversationStore(server.url, { schema });
		onTestFinished(() => store.close());
		return store;
	};
	const store = connect();
	await works(store);
	await store.delete('c');
	await store.create(sampleHead('c'));
	const start = (name: string, count: number, kinds: string) =>
		new WriterProcess(`${server.url} ${schema}`, name, count, kinds, '', program);
	return { store, start, restart: connect };
});

testPersons(() => ({
	store: () => new PostgresConversationStore(server.url, { schema: 'persons' }),
	manage: () => postgresSessionManager(server.url, { schema: 'persons' }),
}));
