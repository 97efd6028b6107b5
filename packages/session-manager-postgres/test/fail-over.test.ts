import assert from 'node:assert/strict';
import {
	PostgresStreamSessionManager,
	postgresSchemaSql,
	postgresSessionManager,
} from '@holdfast/session-manager-postgres';
import { after, open, sampleRecord, sse } from '@holdfast/session-manager-test-kit/own-cases';
import { describe, it } from 'vitest';
import { TcpProxy } from '../../../test/support/network/tcp-proxy.ts';
import { PostgresServer } from '../../../test/support/postgres/postgres-server.ts';
import { until } from '../../../test/support/until.ts';

/** Sends once PostgreSQL takes it. */
async function sends(streams: PostgresStreamSessionManager, id: string, text: string): Promise<void> {
	await until('the message is taken', async () => {
		await streams.send([id], sse(text));
		return true;
	});
}

/** Kills one of the nodes' backends, upon which PostgreSQL ends all of them and recovers. */
async function killBackend(server: PostgresServer): Promise<void> {
	const [backend] = await server.query<{ pid: number }>(
		`select pid from pg_stat_activity where application_name = 'holdfast' limit 1`,
	);
	process.kill(backend?.pid ?? 0, 'SIGKILL');
}

describe('a server that may have lost commits', { timeout: 60_000 }, () => {
	it('is recognised after a backend was killed with -9, and an open stream is told to read again', async () => {
		await using server = await PostgresServer.create();
		await server.query(postgresSchemaSql());
		await using node = postgresSessionManager(server.url, { durability: 'strict' });
		await until('it is connected', () => node.info.create(sampleRecord('s')));
		const gaps: string[] = [];
		const kept = await open(node.streams, 's', { ongap: () => void gaps.push('s') });
		const away = await open(node.streams, 't');
		await node.streams.send(['s', 't'], sse(1));
		await Promise.all([kept.hears(1), away.hears(1)]);
		away.leave();
		await killBackend(server);
		await until('the stream is told', () => gaps.length === 1);
		await sends(node.streams, 's', '2');
		assert.deepEqual(await kept.hears(2), ['1', '2']);
		assert.equal((await open(node.streams, 't', after(away))).continuation, 'gap');
		assert.notEqual(await node.info.read('s'), undefined);
	});

	it('has kept the leases that it gave, also where nothing else waits for the disk', async () => {
		// Nothing that does not wait for the disk gets there.
		await using server = await PostgresServer.create({ wal_writer_delay: `'10s'` });
		await server.query(postgresSchemaSql());
		await using node = postgresSessionManager(server.url);
		await until('it is connected', async () => (await node.info.read('nobody')) === undefined);
		assert.equal(await node.info.acquireLease('used', 'first', 3_600_000), true);
		await killBackend(server);
		const second = until('it is there again', async () => [await node.info.acquireLease('used', 'second', 3_600_000)]);
		assert.deepEqual(await second, [false]);
		assert.equal(await node.info.acquireLease('used', 'first', 3_600_000), true);
	});

	it('leaves streams open that it does not know any more, because it lost that they were opened', async () => {
		// Nothing that does not wait for the disk gets there.
		await using server = await PostgresServer.create({ wal_writer_delay: `'10s'` });
		await server.query(postgresSchemaSql());
		await using streams = new PostgresStreamSessionManager(server.url);
		await until('it is connected', async () => !(await streams.has('s')));
		const gaps: string[] = [];
		const ids = ['s', 's 1'];
		const clients = await Promise.all(ids.map((id) => open(streams, id, { ongap: () => void gaps.push(id) })));
		await streams.send(ids, sse(1));
		for (const client of clients) await client.hears(1);
		await killBackend(server);
		await until('the streams are told', () => gaps.length === ids.length);
		for (const [index, id] of ids.entries()) {
			await sends(streams, id, '2');
			assert.deepEqual(await clients[index]?.hears(2), ['1', '2']);
		}
		assert.deepEqual(gaps.sort(), ids);
	});

	it('has an epoch once a node is connected: made later, under locks of streams, it would be a deadlock', async () => {
		await using server = await PostgresServer.create();
		await server.query(postgresSchemaSql());
		await using streams = new PostgresStreamSessionManager(server.url);
		await until('it is connected', async () => !(await streams.has('s')));
		assert.equal((await server.query('select from holdfast.life')).length, 1);
	});

	it('is not suspected after connections were terminated, or a clean restart', async () => {
		await using server = await PostgresServer.create();
		await server.query(postgresSchemaSql());
		await using streams = new PostgresStreamSessionManager(server.url);
		await until('it is connected', async () => !(await streams.has('s')));
		const client = await open(streams, 's', { ongap: () => assert.fail('nothing was lost') });
		await streams.send(['s'], sse(1));
		await server.query(`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'holdfast'`);
		await sends(streams, 's', '2');
		await client.hears(2);
		await server.stop();
		await server.start();
		await sends(streams, 's', '3');
		assert.deepEqual(await client.hears(3), ['1', '2', '3']);
	});

	it('is recognised after a standby took the place of the primary, which it is not written to before', async () => {
		const primary = await PostgresServer.create({ fsync: 'on' });
		await primary.query(postgresSchemaSql());
		await primary.stop();
		const makesStandby = primary.standby();
		await primary.start();
		const standby = await makesStandby;
		const proxy = await TcpProxy.to(primary.port);
		const url = primary.url.replace(`:${primary.port}/`, `:${proxy.port}/`);
		const streams = new PostgresStreamSessionManager(url);
		const errors: string[] = [];
		streams.onerror = ({ message }) => errors.push(message);
		try {
			await until('it is connected', async () => !(await streams.has('s')));
			const gaps: string[] = [];
			const client = await open(streams, 's', { ongap: () => void gaps.push('s') });
			await streams.send(['s'], sse(1));
			await client.hears(1);
			const replayed = `select count(*)::int as n from holdfast.event`;
			await until('the standby has it', async () => (await standby.query(replayed))[0]?.['n'] === 1);
			await primary.crash();
			proxy.retarget(standby.port);
			await until('the standby is refused', () => errors.some((message) => message.includes('is a standby')));
			await assert.rejects(async () => streams.send(['s'], sse('refused')), { code: 'unavailable' });
			await standby.promote();
			await sends(streams, 's', '2');
			assert.deepEqual(await client.hears(2), ['1', '2']);
			assert.deepEqual(gaps, ['s']);
		} finally {
			await streams.close();
			await proxy.dispose();
			await standby.dispose();
			await primary.dispose();
		}
	});
});
