import { InMemoryInfoSessionManager, InMemoryStreamSessionManager } from '@holdfast/session-manager';
import { ManualClock } from '@holdfast/session-manager/testing';
import { RedisStreamSessionManager } from '@holdfast/session-manager-redis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatStreamName } from '../../packages/transport/src/protocol/routed-ids.ts';
import { doors } from '../support/doors.ts';
import { gatedTool } from '../support/gated-tool.ts';
import { type RedisTopology, startStandalone } from '../support/redis/redis-topology.ts';
import { Rig, type RigOptions, textOf } from '../support/rig.ts';

let redis: RedisTopology;
beforeAll(async () => {
	redis = await startStandalone();
});
afterAll(() => redis?.dispose());

async function open(streams: InMemoryStreamSessionManager | RedisStreamSessionManager, options: RigOptions = {}) {
	const [door] = doors;
	if (door === undefined) throw new Error('There is no door.');
	const clock = new ManualClock(1_000_000);
	const sessionManager = { streams, info: new InMemoryInfoSessionManager({ clock }) };
	return Rig.open(door, { ...options, clock, sessionManager });
}

const engines = [
	{
		name: 'memory',
		make: () => new InMemoryStreamSessionManager(),
		left: async (streams: unknown) => (streams as InMemoryStreamSessionManager).stats().sessions,
	},
	{
		name: 'Redis',
		make: () => new RedisStreamSessionManager(redis.connect()),
		left: async () => (await redis.keys()).length,
	},
];

describe.each(engines)('GETs with names of streams that never were, in $name', ({ make, left }) => {
	it('leave nothing, and tell the client that the response is lost', async () => {
		const streams = make();
		const rig = await open(streams);
		const client = await rig.session();
		const before = await left(streams);
		const { nodeId } = rig.transport;
		for (let n = 0; n < 90; n++) {
			const name = formatStreamName(client.id, n % 2 === 0 ? nodeId : 'nobody', n, 7);
			const position = ['0', `${n}-1-${n}-1`, 'abc-5'][n % 3];
			const response = await client.get(`${position}/${name}`);
			await response.ended();
			expect(response.messages).toMatchObject([
				{ message: { id: 7, error: { message: expect.stringMatching(/lost/) } } },
			]);
			// Whoever comes back after that learns that nothing follows.
			if (n < 5) expect((await client.get(response.lastEventId)).status).toBe(405);
		}
		expect(await left(streams)).toBe(before);
		await streams.close();
	});

	it('are refused with 429 when they are too many, those of other sessions are not', async () => {
		const streams = make();
		const rig = await open(streams);
		const client = await rig.session();
		const statuses: number[] = [];
		for (let n = 0; n < 110; n++)
			statuses.push((await client.get(`0/${formatStreamName(client.id, 'nobody', n, undefined)}`)).status);
		expect(statuses).toEqual([...Array(100).fill(200), ...Array(10).fill(429)]);
		expect((await (await rig.session()).get()).status).toBe(200);
		rig.clock.advance(1_000);
		expect((await client.get()).status).toBe(200);
		await streams.close();
	});
});

it('a stream that the store has forgotten is resumed as long as its node writes to it', async () => {
	const { arrived, go, tool } = gatedTool();
	const streams = new RedisStreamSessionManager(redis.connect());
	const rig = await open(streams, { tools: { hold: tool } });
	const client = await rig.session();
	const pending = client.call('hold');
	await arrived.wait();
	rig.clock.advance(200);
	const stream = await pending;
	await stream.event(0);
	await redis.flush();
	const resumed = await client.get(stream.lastEventId);
	go.happen('late');
	expect(textOf(await resumed.answer())).toBe('late');
	await streams.close();
});
