import { createHash } from 'node:crypto';
import { BROADCAST_CHANNEL } from '@holdfast/session-manager/custom';
import { PostgresStreamSessionManager, postgresSchemaSql } from '@holdfast/session-manager-postgres';
import { open, sse } from '@holdfast/session-manager-test-kit/own-cases';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { PostgresServer } from '../../../test/support/postgres/postgres-server.ts';
import { until } from '../../../test/support/until.ts';

/** How many streams each node holds. */
const STREAMS = 40;
const numbers = (count: number) => Array.from({ length: count }, (_, n) => n);

describe('a verb costs the store', () => {
	let server: PostgresServer;
	let nodes: readonly PostgresStreamSessionManager[] = [];
	/** The NOTIFYs so far: of broadcasts, and to single nodes. */
	let notified = { all: 0, one: 0 };
	let lastHeard = async () => {};
	beforeAll(async () => {
		server = await PostgresServer.create();
		await server.query(postgresSchemaSql());
		nodes = [1, 2].map(() => new PostgresStreamSessionManager(server.url));
		for (const [node, streams] of nodes.entries()) {
			await until('it is connected', async () => !(await streams.has('nobody')));
			for (const n of numbers(STREAMS)) await open(streams, `${node}-${n}`);
		}
		const listener = await server.client();
		const [world] = await server.query<{ secret: string }>('select secret from holdfast.world');
		const hash = createHash('sha256').update(`${world?.secret} ${BROADCAST_CHANNEL}`).digest('hex');
		const broadcasts = `holdfast_${hash.slice(0, 40)}`;
		const held = await server.query<{ node: string }>(
			'select distinct node from holdfast.stream where node is not null',
		);
		const mark = 'counted';
		for (const channel of [broadcasts, mark, ...held.map(({ node }) => node)])
			await listener.query(`listen "${channel}"`);
		let marks = 0;
		listener.on('notification', ({ channel }) => {
			if (channel === mark) marks++;
			else if (channel === broadcasts) notified.all++;
			else notified.one++;
		});
		// Notifications come in the order of commits: once this one is there, all before it are counted.
		lastHeard = async () => {
			const before = marks;
			await server.query(`notify ${mark}`);
			await until('all is counted', () => marks > before);
		};
	});
	beforeEach(() => {
		notified = { all: 0, one: 0 };
	});
	afterAll(async () => {
		await Promise.all(nodes.map((streams) => streams.close()));
		await server?.dispose();
	});

	it('one NOTIFY for a broadcast, however many streams and nodes there are', async () => {
		for (const n of numbers(10)) await nodes[0]?.send(undefined, sse(n));
		await lastHeard();
		expect(notified).toEqual({ all: 10, one: 0 });
	});

	it('one NOTIFY to each node that holds a stream of a message, and none for a stream that nobody holds', async () => {
		const ids = [0, 1].flatMap((node) => numbers(STREAMS).map((n) => `${node}-${n}`));
		await nodes[0]?.send(ids, sse('x'));
		await nodes[0]?.send(['1-1'], sse('x'));
		await nodes[0]?.send(['nobody', 'nobody 1'], sse('x'));
		await lastHeard();
		expect(notified).toEqual({ all: 0, one: 3 });
	});

	it('a few NOTIFYs for what is sent at about the same time', async () => {
		await Promise.all(numbers(200).map((n) => nodes[0]?.send(['1-1'], sse(n))));
		await Promise.all(numbers(200).map((n) => nodes[0]?.send(undefined, sse(n))));
		await lastHeard();
		for (const count of Object.values(notified)) expect(count).toBeLessThanOrEqual(8);
	});
});
