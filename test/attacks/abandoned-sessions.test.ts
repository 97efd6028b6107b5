import { InMemoryInfoSessionManager, InMemoryStreamSessionManager } from '@holdfast/session-manager';
import { ManualClock } from '@holdfast/session-manager/testing';
import { RedisInfoSessionManager, RedisStreamSessionManager } from '@holdfast/session-manager-redis';
import { expect, it } from 'vitest';
import { doors } from '../support/doors.ts';
import { startStandalone } from '../support/redis/redis-topology.ts';
import { Rig, type TestClient } from '../support/rig.ts';
import { until } from '../support/until.ts';

const [door] = doors;

/** A client that uses every kind of stream, and leaves without a word. */
async function useAndAbandon(client: TestClient): Promise<void> {
	const session = await client.get();
	const call = await client.call('log', { count: 3 });
	await call.answer();
	for (const stream of [session, call]) stream.drop();
}

it('what is kept of the streams of sessions that expire by themselves goes with them, in memory', async () => {
	if (door === undefined) throw new Error('There is no door.');
	const clock = new ManualClock(1_000_000);
	const streams = new InMemoryStreamSessionManager({ clock });
	const sessionManager = { streams, info: new InMemoryInfoSessionManager({ clock }) };
	const rig = await Rig.open(door, { clock, sessionManager, idleTtlMs: 60_000 });
	for (let n = 0; n < 20; n++) await useAndAbandon(await rig.session());
	const lasting = await rig.session();
	await lasting.call('log', { count: 3 }).then((call) => call.answer());
	// Only the streams are left to know of it.
	await rig.transport.close();
	expect(streams.stats().sessions).toBe(21);
	clock.advance(59_000);
	expect(streams.stats().events).toBeGreaterThan(60);
	// They may live on for a quarter of the idle TTL.
	clock.advance(20_000);
	expect(streams.stats()).toMatchObject({ sessions: 0, events: 0 });
	await streams.close();
});

it('what is kept of the streams of sessions that expire by themselves goes with them, on Redis', async () => {
	if (door === undefined) throw new Error('There is no door.');
	await using redis = await startStandalone();
	const streams = new RedisStreamSessionManager(redis.connect());
	const info = new RedisInfoSessionManager(redis.connect());
	// The clock of the node stands still: nobody but Redis looks after the keys.
	const clock = new ManualClock(Date.now());
	const rig = await Rig.open(door, { clock, sessionManager: { streams, info }, idleTtlMs: 3_000 });
	for (let n = 0; n < 20; n++) await useAndAbandon(await rig.session());
	const keys = async () => (await redis.keys()).filter((key) => key.includes('{s:'));
	const kinds = new Set((await keys()).map((key) => key.replace(/.*:/, '')));
	expect([...kinds].sort()).toEqual(['info', 'log', 'streams']);
	await until('every key of a session has expired', async () => (await keys()).length === 0);
	await Promise.all([streams.close(), info.close()]);
});
