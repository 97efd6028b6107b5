import assert from 'node:assert/strict';
import { ManualClock } from '@holdfast/session-manager/testing';
import { RedisInfoSessionManager, RedisStreamSessionManager } from '@holdfast/session-manager-redis';
import { numbers, open, sampleRecord, sse, until } from '@holdfast/session-manager-test-kit/own-cases';
import { afterEach, beforeAll, describe, it } from 'vitest';
import type { RedisTopology } from '../../../test/support/redis/redis-topology.ts';
import { MIN_KNOWN_MS } from '../src/scripts/streams.ts';

/** The one key that is no session's: where the log of messages to everyone is. It expires with the last stream. */
const broadcasts = 'holdfast:{broadcast}:streams';

/** What the managers keep in Redis, how much, and for how long. */
export function describeKeys(topology: () => RedisTopology): void {
	describe('keys', () => {
		let redis: RedisTopology;
		beforeAll(async () => {
			redis = topology();
			await redis.flush();
		});
		afterEach(() => redis.flush());

		const managers = (options: { readonly keyPrefix?: string } = {}) => ({
			info: new RedisInfoSessionManager(redis.connect(), options),
			streams: new RedisStreamSessionManager(redis.connect(), options),
		});

		it('every key and channel begins with the prefix, and every key expires', async () => {
			for (const keyPrefix of ['holdfast:', 'other/']) {
				const { info, streams } = managers({ keyPrefix });
				await using _info = info;
				await using _streams = streams;
				for (const id of ['never-ends', 'ends', '}{']) {
					await info.create(sampleRecord(id, id === 'ends' ? { lastUsedAt: Date.now(), idleTtlMs: 60_000 } : {}));
					await info.addSubscription(id, 'file:///a');
					await info.writeState(id, 'k', '*', 's1');
					await info.update(id, { logLevel: 'debug' });
					await info.touch(id, Date.now());
					await open(streams, id);
					await open(streams, `${id} 1`);
					await streams.send([id, `${id} 1`, `${id} 2`], sse(1));
				}
				await open(streams, ' n');
				await streams.send(undefined, sse(1));
				const keys = await redis.keys();
				assert.ok(keys.length >= 3 * 5 + 5);
				const client = redis.connect();
				for (const key of keys) {
					assert.ok(key.startsWith(keyPrefix), key);
					assert.ok((await client.pttl(key)) > 0, key);
				}
				for (const server of redis.servers) {
					const channels = (await server.client().call('PUBSUB', 'SHARDCHANNELS')) as string[];
					for (const channel of channels) assert.ok(channel.startsWith(keyPrefix), channel);
				}
				await redis.flush();
			}
		});

		it('two prefixes in one Redis are two worlds', async () => {
			const [one, two] = [managers({ keyPrefix: 'one:' }), managers({ keyPrefix: 'two:' })];
			await one.info.create(sampleRecord('s'));
			assert.equal(await two.info.read('s'), undefined);
			const [mine, theirs] = [await open(one.streams, 's'), await open(two.streams, 's')];
			await one.streams.send(undefined, sse('to all of one'));
			await mine.hears('to all of one');
			await one.streams.send(['s'], sse('to s of one'));
			await two.streams.send(['s'], sse('to s of two'));
			assert.deepEqual(await mine.has(2), ['to all of one', 'to s of one']);
			assert.deepEqual(await theirs.hears('to s of two'), ['to s of two']);
			for (const manager of [one.info, one.streams, two.info, two.streams]) await manager.close();
		});

		it('a message to everyone is one PUBLISH, a message to one stream one command, whoever listens', async () => {
			const peers = [managers().streams, managers().streams, managers().streams] as const;
			const clients = await Promise.all(numbers(0, 59).map((n) => open(peers[Number(n) % 3] ?? peers[0], `s${n}`)));
			await peers[0].send(undefined, sse('warm'));
			await peers[0].send(['s1'], sse('warm'));
			const published = await redis.calls('spublish');
			await peers[0].send(undefined, sse('to everyone'));
			await Promise.all(clients.map((client) => client.hears('to everyone')));
			assert.equal((await redis.calls('spublish')) - published, 1);
			const before = await Promise.all([redis.calls('evalsha'), redis.calls('eval'), redis.calls('spublish')]);
			for (let n = 0; n < 10; n++) await peers[0].send(['s1'], sse(`to one ${n}`));
			const after = await Promise.all([redis.calls('evalsha'), redis.calls('eval'), redis.calls('spublish')]);
			assert.deepEqual(
				after.map((count, index) => count - (before[index] ?? 0)),
				[10, 0, 10],
			);
			for (const peer of peers) await peer.close();
		});

		it('sessions that come and go leave no key behind', async () => {
			const { info, streams } = managers();
			const count = redis.name === 'standalone' ? 10_000 : 1_000;
			for (let from = 0; from < count; from += 250) {
				await Promise.all(
					numbers(from, from + 249).map(async (n) => {
						const id = `s${n}`;
						await info.create(
							sampleRecord(id, Number(n) % 2 === 0 ? {} : { lastUsedAt: Date.now(), idleTtlMs: 60_000 }),
						);
						if (Number(n) % 3 === 0) await info.addSubscription(id, 'file:///a');
						const client = await open(streams, id);
						if (Number(n) % 5 === 0) await streams.send([id, `${id} 1`], sse(1));
						if (Number(n) % 7 === 0) client.leave();
						await streams.delete(id);
						await info.delete(id);
						client.leave();
					}),
				);
			}
			await until('every channel is left', async () => !(await streams.has(`s${count - 1}`)));
			await until('no key is left', async () => (await redis.keys()).every((key) => key === broadcasts));
			await Promise.all([info.close(), streams.close()]);
		});

		it('sessions that nobody deletes leave no key behind once they have expired', async () => {
			const info = new RedisInfoSessionManager(redis.connect());
			const streams = new RedisStreamSessionManager(redis.connect(), { history: { maxAgeMs: 50 } });
			for (const id of numbers(1, 20)) {
				await info.create(sampleRecord(id, { lastUsedAt: Date.now(), idleTtlMs: 200 }));
				await info.addSubscription(id, 'file:///a');
				await info.writeState(id, 'k', '*', 's1');
				await streams.send([id], sse(1));
				(await open(streams, id)).leave();
				await streams.expireIn(id, 200);
			}
			await until('every key of a session has expired', async () => {
				// The indexes of all sessions go with the next that comes.
				await info.create(sampleRecord('next'));
				await info.delete('next');
				return (await redis.keys()).filter((key) => key !== broadcasts).length === 0;
			});
			const left = await redis.connect().pttl(broadcasts);
			assert.ok(left > 0 && left <= 6 * MIN_KNOWN_MS, `${left} ms are left`);
			await Promise.all([info.close(), streams.close()]);
		});

		it('what is known of request streams goes with their history', async () => {
			const streams = new RedisStreamSessionManager(redis.connect(), { history: { maxEvents: 5 } });
			await open(streams, 's');
			for (const n of numbers(1, 50)) {
				const client = await open(streams, `s ${n}`, { prime: sse('prime') });
				await streams.send([`s ${n}`], `data: ${n}\n:end\n\n`);
				await client.end();
			}
			const fields = await redis.connect().hkeys('holdfast:{s:s}:streams');
			assert.ok(fields.length < 40, fields.join());
			await streams.close();
		});

		it('a stream that is held but quiet is not forgotten', async () => {
			const redisClient = redis.connect();
			for (const maxAgeMs of [0, 50, 60_000]) {
				const clock = new ManualClock(Date.now());
				await using streams = new RedisStreamSessionManager(redisClient, { clock, history: { maxAgeMs } });
				const client = await open(streams, 's', { prime: sse('prime') });
				const keys = ['holdfast:{s:s}:streams', broadcasts];
				const lives = () => Promise.all(keys.map((key) => redisClient.pttl(key)));
				const whole = await lives();
				for (const life of whole) assert.ok(life > 4 * maxAgeMs && life > 5_000, `${life} ms`);
				// As if half of the time had passed, to Redis and then to this node.
				for (const [index, key] of keys.entries()) await redisClient.pexpire(key, Math.ceil((whole[index] ?? 0) / 2));
				clock.advance(Math.max(...whole) / 2);
				await until('they are as new', async () =>
					(await lives()).every((life, index) => life > 0.75 * (whole[index] ?? Number.NaN)),
				);
				const back = await open(streams, 's', { lastEventId: client.received[0]?.id ?? '' });
				assert.equal(back.continuation, 'resumed');
				await streams.delete('s');
			}
		});
	});
}
