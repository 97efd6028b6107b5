import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import { RedisStreamSessionManager } from '@holdfast/session-manager-redis';
import { open, sse } from '@holdfast/session-manager-test-kit/own-cases';
import type { Redis, RedisOptions } from 'ioredis';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { type RedisTopology, startStandalone } from '../../../test/support/redis/redis-topology.ts';

describe('messages to one stream are taken in the order of the calls', () => {
	let redis: RedisTopology;
	beforeAll(async () => {
		redis = await startStandalone();
	});
	afterAll(() => redis?.dispose());
	const forgetScripts = () => redis.servers[0]?.client().script('FLUSH');

	it('when Redis has forgotten its scripts, also those that are sent while the first is repeated', async () => {
		const steps = new EventEmitter();
		const [isTold, isSent] = [once(steps, 'told'), once(steps, 'sent')];
		const client = through(redis.connect() as Redis, async (send, nth) => {
			const [reply] = await Promise.allSettled([send()]);
			if (nth === 1) steps.emit('told');
			// Redis replies to the second a little later.
			if (nth === 2) await isSent;
			return settled(reply);
		});
		await using streams = new RedisStreamSessionManager(client);
		const reader = await open(streams, 's');
		await streams.send(['s'], sse('known'));
		await forgetScripts();
		const sent = [streams.send(['s'], sse(1)), streams.send(['s'], sse(2))];
		await isTold;
		await setImmediate();
		sent.push(streams.send(['s'], sse(3)));
		await setImmediate();
		steps.emit('sent');
		await Promise.all(sent);
		assert.deepEqual(await reader.hears(3), ['known', '1', '2', '3']);
	});

	it('when another node brings the script back to Redis between the two', async () => {
		await using other = new RedisStreamSessionManager(redis.connect());
		const steps = new EventEmitter();
		const [isBack, isTaken] = [once(steps, 'back'), once(steps, 'taken')];
		const client = through(redis.connect() as Redis, async (send, nth) => {
			if (nth === 2) await isBack;
			const [reply] = await Promise.allSettled([send()]);
			if (nth === 1) {
				await other.send(['other'], sse('known'));
				steps.emit('back');
				await isTaken;
			}
			if (nth === 2) steps.emit('taken');
			return settled(reply);
		});
		await using streams = new RedisStreamSessionManager(client);
		const reader = await open(streams, 't');
		await streams.send(['t'], sse('known'));
		await forgetScripts();
		await Promise.all([streams.send(['t'], sse(1)), streams.send(['t'], sse(2))]);
		assert.deepEqual(await reader.hears(2), ['known', '1', '2']);
	});
});

/** A client whose connections send each script that Redis should know as `carry` does; `nth` counts from 1. */
function through(client: Redis, carry: (send: () => Promise<unknown>, nth: number) => Promise<unknown>): Redis {
	let count = 0;
	return new Proxy(client, {
		get(target, name) {
			if (name === 'duplicate') return (options: RedisOptions) => through(target.duplicate(options), carry);
			if (name !== 'evalsha') return Reflect.get(target, name);
			return (...args: [string, number, ...string[]]) => carry(() => target.evalsha(...args), ++count);
		},
	});
}

function settled(reply: PromiseSettledResult<unknown> | undefined): unknown {
	if (reply?.status !== 'rejected') return reply?.value;
	throw reply.reason;
}
