import { randomUUID } from 'node:crypto';
import type { SessionRecord } from '@holdfast/session-manager';
import { type Clock, systemClock } from '@holdfast/session-manager/custom';
import { RedisInfoSessionManager, RedisStreamSessionManager } from '@holdfast/session-manager-redis';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { doors, handleDoor } from '../support/doors.ts';
import { eventually } from '../support/eventually.ts';
import { gatedTool } from '../support/gated-tool.ts';
import { at, openNodes } from '../support/nodes.ts';
import { type RedisTopology, startCluster, startStandalone } from '../support/redis/redis-topology.ts';
import { Rig, textOf } from '../support/rig.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

function skewed(byMs: number): Clock {
	return { ...systemClock, now: () => systemClock.now() + byMs };
}

describe.each([
	['standalone', startStandalone],
	['cluster', startCluster],
] as const)('clocks of nodes that differ, on Redis %s', (_, start) => {
	let redis: RedisTopology;
	beforeAll(async () => {
		redis = await start();
	}, 60_000);
	afterAll(() => redis?.dispose());

	async function open(byMs: number, keyPrefix: string) {
		const clock = skewed(byMs);
		const streams = new RedisStreamSessionManager(redis.connect(), { clock, keyPrefix });
		const info = new RedisInfoSessionManager(redis.connect(), { clock, keyPrefix });
		const rig = await Rig.open(handleDoor, { clock, sessionManager: { streams, info }, idleTtlMs: MINUTE });
		onTestFinished(async () => {
			await Promise.all([streams.close(), info.close()]);
		});
		return { rig, info };
	}

	it.each([5_000, -5_000, 5 * MINUTE, -5 * MINUTE])('by %i ms lose no broadcast and end no session', async (byMs) => {
		const keyPrefix = `${randomUUID()}:`;
		const [a, b] = [await open(byMs, keyPrefix), await open(0, keyPrefix)];
		await b.rig.transport.notify.promptsChanged();
		for (const [opener, other] of [
			[a.rig, b.rig],
			[b.rig, a.rig],
		] as const) {
			const client = await opener.session();
			await other.transport.notify.toolsChanged();
			const stream = await at(other, client).get();
			await opener.transport.notify.resourcesChanged();
			await stream.message(1);
			expect(stream.messages.map(({ message }) => message.method)).toEqual([
				'notifications/tools/list_changed',
				'notifications/resources/list_changed',
			]);
			expect(await at(other, client).ask('echo', { text: 'a' })).toBe('a');
			const ids: (SessionRecord | undefined)[] = [await a.info.read(client.id), await b.info.read(client.id)];
			expect(ids.map((record) => record?.id)).toEqual([client.id, client.id]);
			expect((await client.delete()).status).toBe(200);
			await stream.ended();
		}
	});
});

describe.each(doors)('a wall clock that is set, through $name', (door) => {
	it.each([
		['an hour forth', HOUR],
		['an hour back', -HOUR],
	])('%s: calls become streams, sessions live and end in time, and nobody is refused', async (_, step) => {
		const { arrived, go, tool } = gatedTool();
		const { a, b, clock, streams, info } = await openNodes(door, {
			tools: { hold: tool },
			sseAfterMs: 300,
			idleTtlMs: 30 * MINUTE,
			authInfo: { token: 't', clientId: 'alice', scopes: [], extra: { iss: 'https://issuer.example', sub: 'alice' } },
			maxNewSessionsPerPrincipalPerMinute: 2,
		});
		const client = await a.session();
		const unused = await a.session();
		expect((await a.initialize()).status).toBe(429);
		const stream = await client.get();
		await stream.event(0);
		const pending = client.call('hold');
		await arrived.wait();

		clock.setNow(clock.now() + step);
		clock.advance(300);
		const answer = await pending;
		expect(answer.isStream).toBe(true);
		go.happen('held');
		expect(textOf(await answer.answer())).toBe('held');

		await b.transport.notify.toolsChanged();
		await stream.message(0);
		for (let passed = 0; passed < 6; passed++) {
			clock.advance(5 * MINUTE);
			expect(await at(passed % 2 === 0 ? a : b, client).ask('echo', { text: 'here' })).toBe('here');
		}
		expect(stream.over).toBe(false);
		expect((await at(b, unused).request('ping')).status).toBe(404);
		expect((await a.initialize()).status).toBe(200);

		const back = await at(b, client).get(stream.lastEventId);
		await back.event(0);
		expect((await at(b, client).delete()).status).toBe(200);
		expect((await at(a, client).request('ping')).status).toBe(404);
		clock.advance(1_000);
		await eventually(() => streams.stats().streams).toBe(0);
		clock.advance(2 * HOUR);
		await eventually(() => info.stats().sessions).toBe(0);
		clock.advance(HOUR);
		expect(streams.stats()).toMatchObject({ sessions: 0, events: 0 });
	});
});
