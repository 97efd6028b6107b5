import assert from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import { RedisInfoSessionManager, RedisStreamSessionManager } from '@holdfast/session-manager-redis';
import { after, numbers, open, sampleRecord, sse } from '@holdfast/session-manager-test-kit/own-cases';
import { beforeAll, describe, it, onTestFinished } from 'vitest';
import { within } from '../../../test/support/deadline.ts';
import { TcpProxy } from '../../../test/support/network/tcp-proxy.ts';
import type { RedisServer } from '../../../test/support/redis/redis-server.ts';
import type { RedisTopology } from '../../../test/support/redis/redis-topology.ts';
import { until } from '../../../test/support/until.ts';
import { Writer } from '../../../test/support/writer.ts';

const unavailable = { name: 'SessionManagerError', code: 'unavailable' };

/** What happens when connections are cut while the servers live on. */
export function describeInterruptions(topology: () => RedisTopology): void {
	describe('interruptions', () => {
		let redis: RedisTopology;
		beforeAll(async () => {
			redis = topology();
			await redis.flush();
		});

		it('nothing is lost or doubled when every server closes every connection again and again', async () => {
			await using a = new RedisStreamSessionManager(redis.connect());
			await using b = new RedisStreamSessionManager(redis.connect());
			const gaps: string[] = [];
			const ids = ['s', 't', 'u', 'v', 's 1', 't 1'];
			const clients = await Promise.all(
				ids.map((id, index) => open(index % 2 === 0 ? a : b, id, { ongap: () => void gaps.push(id) })),
			);
			const writers = [new Writer(a, ids, 'to-'), new Writer(b, undefined, 'all-')] as const;
			const admins = redis.servers.map((server) => server.client());
			for (let round = 0; round < 6; round++) {
				await Promise.all(writers.map((writer) => writer.takes(15)));
				const type = ['pubsub', 'normal'][round % 2] ?? '';
				await Promise.all(admins.map((admin) => admin.call('CLIENT', 'KILL', 'TYPE', type, 'SKIPME', 'yes')));
			}
			await Promise.all(writers.map((writer) => writer.takes(15)));
			await Promise.all(writers.map((writer) => writer.stop()));
			for (const writer of writers) writer.assertRefusals();
			for (const [index, client] of clients.entries()) {
				await writers[0].assertArrived(client);
				if (!ids[index]?.includes(' ')) await writers[1].assertArrived(client);
				assert.equal(client.ended, false);
			}
			assert.deepEqual(gaps, []);
			await Promise.all(['s', 't', 'u', 'v'].map((id) => a.delete(id)));
		}, 30_000);

		it('nothing is refused, and all comes in order, when every server forgets its scripts again and again', async () => {
			await using a = new RedisStreamSessionManager(redis.connect());
			await using b = new RedisStreamSessionManager(redis.connect());
			const ids = ['s', 't', 'u'];
			const clients = await Promise.all(ids.map((id) => open(a, id)));
			const admins = redis.servers.map((server) => server.client());
			const bursts = [new Burst(a, ids, 'one-'), new Burst(b, ids, 'two-')];
			for (let round = 0; round < 30; round++) {
				for (let turn = 0; turn < 20; turn++) {
					for (const burst of bursts) await burst.send();
					await setImmediate();
				}
				for (const admin of admins) void admin.script('FLUSH');
			}
			for (const burst of bursts) await burst.assertTaken();
			for (const client of clients) {
				const texts = await client.has(1_200);
				for (const burst of bursts) assert.deepEqual(burst.of(texts), numbers(1, 600).map(Number));
			}
			await Promise.all(ids.map((id) => a.delete(id)));
		}, 30_000);
	});
}

/** What happens on a cluster that is reached in part only. */
export function describePartlyReached(topology: () => RedisTopology): void {
	it('a session is not read from a replica, which may not have its newest state, when no master is reached', async () => {
		const redis = topology();
		const ways = await Promise.all(redis.servers.map((server) => TcpProxy.to(server.port)));
		const natMap = Object.fromEntries(
			redis.servers.map(({ port }, n) => [`127.0.0.1:${port}`, { host: '127.0.0.1', port: ways[n]?.port ?? 0 }]),
		);
		await using info = new RedisInfoSessionManager(redis.connect(natMap));
		await info.create(sampleRecord('s'));
		await redis.replicated();
		for (const way of ways.slice(0, 3)) way.refuse();
		for (let round = 0; round < 50; round++) await assert.rejects(info.read('s'), unavailable);
		for (const way of ways) way.flow();
		await until('the session is read', async () => (await info.read('s')) !== undefined);
		await info.delete('s');
		await Promise.all(ways.map((way) => way.dispose()));
	}, 30_000);
}

/** What happens on a cluster of which one master hangs. */
export function describeHangingMaster(topology: () => RedisTopology): void {
	it.each([
		['a session', 1],
		['broadcasts', 0],
	])(
		'a master of %s that hangs holds up what it keeps, and nothing else',
		async (_, index) => {
			const redis = topology();
			const sessions = await sessionOnEachMaster(redis);
			const [hanging = ''] = sessions.splice(index, 1);
			const master = await redis.masterOf(`holdfast:{s:${hanging}}:log`);
			await using a = new RedisStreamSessionManager(redis.connect());
			await using b = new RedisStreamSessionManager(redis.connect());
			const gaps: string[] = [];
			const openAll = (ids: string[]) => Promise.all(ids.map((id) => open(a, id, { ongap: () => void gaps.push(id) })));
			const [held, going] = [withRequests([hanging]), withRequests(sessions)];
			const clients = { held: await openAll(held), going: await openAll(going) };
			const [toHeld, toGoing] = [new Writer(b, held, 'held-'), new Writer(b, going, 'going-')];
			const toAll = new Writer(b, undefined, 'all-');
			const writers = [toHeld, toGoing, toAll];
			await Promise.all(writers.map((writer) => writer.takes(20)));

			onTestFinished(() => master.resume());
			master.pause();
			const begin = performance.now();
			// It takes two silences of two seconds at most to find out, and the rest to find nothing else held up.
			while (performance.now() - begin < 6_000) {
				await toGoing.takes(5, 2_000);
				const newest = toGoing.taken.at(-1) ?? '';
				const heard = Promise.all(clients.going.map((client) => client.hears(newest)));
				await within(heard, 'what a master that runs has taken', 1_000);
			}
			if (index === 1) {
				const newest = toAll.taken.at(-1) ?? '';
				await within(Promise.all(clients.held.slice(0, 1).map((client) => client.hears(newest))), 'a broadcast', 1_000);
				clients.going.push(await within(open(a, `${sessions[1]} 2`), 'a stream that is opened', 1_000));
				assert.deepEqual(toAll.refused, []);
			}
			assert.deepEqual(toGoing.refused, []);
			assert.ok(toHeld.refused.length > 0);
			master.resume();

			await Promise.all(writers.map((writer) => writer.takes(20)));
			await Promise.all(writers.map((writer) => writer.stop()));
			for (const writer of writers) writer.assertRefusals();
			for (const client of clients.held) await toHeld.assertArrived(client);
			for (const client of clients.going.slice(0, 4)) await toGoing.assertArrived(client);
			for (const client of [clients.held[0], clients.going[0], clients.going[2]]) {
				if (client !== undefined) await toAll.assertArrived(client);
			}
			for (const client of [...clients.held, ...clients.going]) assert.equal(client.ended, false);
			assert.deepEqual(gaps, []);
			await Promise.all([hanging, ...sessions].map((id) => a.delete(id)));
		},
		40_000,
	);
}

/** The ids of a session on each master, first on that of broadcasts. */
async function sessionOnEachMaster(redis: RedisTopology): Promise<string[]> {
	const found = new Map([[await redis.masterOf('holdfast:{broadcast}:log'), '']]);
	for (let n = 0; found.size < 3 || [...found.values()].includes(''); n++) {
		found.set(await redis.masterOf(`holdfast:{s:hangs-${n}}:log`), `hangs-${n}`);
	}
	return [...found.values()];
}

/** The ids of the session streams and of a request stream of each. */
function withRequests(sessions: readonly string[]): string[] {
	return sessions.flatMap((id) => [id, `${id} 1`]);
}

/** What happens on a cluster when the slot of a session moves to another master. */
export function describeMoving(topology: () => RedisTopology): void {
	it('a stream whose slot moves to another master goes on there, and a gap is told', async () => {
		const redis = topology();
		await using a = new RedisStreamSessionManager(redis.connect());
		await using b = new RedisStreamSessionManager(redis.connect());
		let gaps = 0;
		const ongap = () => void gaps++;
		const client = await open(a, 'moves', { ongap });
		const stays = await open(a, 'stays', { ongap: () => assert.fail('nothing of it moved') });
		const writer = new Writer(b, ['moves', 'stays']);
		await writer.takes(30);
		const key = 'holdfast:{s:moves}:log';
		const from = await redis.masterOf(key);
		const to = await redis.masterOf('holdfast:{s:stays}:log');
		assert.notEqual(from, to);
		await moveSlot(redis, key, from, to);
		await writer.takes(30);
		await writer.stop();
		writer.assertRefusals();
		for (const each of [client, stays]) await writer.assertArrived(each);
		assert.ok(gaps > 0);
		await until('the stream is held there', () => b.has('moves'));
		assert.equal((await open(b, 'moves', after(client))).continuation, 'resumed');
		await moveSlot(redis, key, to, from);
		await until('messages are taken again', async () => {
			await b.send(['moves'], sse('back'));
			return true;
		});
	}, 30_000);

	it('nothing is refused, and all comes in order, while a slot moves to a master that has no scripts', async () => {
		const redis = topology();
		const history = { maxEvents: 100_000 };
		await using a = new RedisStreamSessionManager(redis.connect(), { history });
		await using b = new RedisStreamSessionManager(redis.connect(), { history });
		const key = 'holdfast:{s:moves-on}:log';
		const from = await redis.masterOf(key);
		const to = await redis.masterOf('holdfast:{s:stays}:log');
		assert.notEqual(from, to);
		const bursts = [new Burst(a, ['moves-on'], 'one-'), new Burst(b, ['moves-on'], 'two-')] as const;
		let isMoving = true;
		const moves = async () => {
			for (const [source, target] of [
				[from, to],
				[to, from],
			] as const) {
				const before = bursts[0].sent;
				await until('more messages are sent', () => bursts[0].sent > before + 20);
				await target.client().script('FLUSH');
				await moveSlot(redis, key, source, target);
			}
		};
		const moved = moves().finally(() => {
			isMoving = false;
		});
		while (isMoving) {
			for (const burst of bursts) await burst.send();
			await setImmediate();
		}
		await moved;
		for (const burst of bursts) await burst.assertTaken();
		const kept = (await redis.connect().xrange(key, '-', '+')).map(
			([, [, , , data = '']]) => /^data: (.*)$/m.exec(data)?.[1] ?? '',
		);
		for (const burst of bursts) assert.deepEqual(burst.of(kept), numbers(1, burst.sent).map(Number));
		await a.delete('moves-on');
	}, 30_000);
}

/** Someone who sends numbered messages, up to 50 at a time. */
class Burst {
	sent = 0;
	readonly #manager: RedisStreamSessionManager;
	readonly #ids: readonly string[];
	readonly #label: string;
	readonly #refused: unknown[] = [];
	#unanswered = 0;

	constructor(manager: RedisStreamSessionManager, ids: readonly string[], label: string) {
		this.#manager = manager;
		this.#ids = ids;
		this.#label = label;
	}

	/** Sends another message, once fewer than 50 have no reply. */
	async send(): Promise<void> {
		while (this.#unanswered >= 50) await setImmediate();
		this.#unanswered++;
		const result = Promise.resolve(this.#manager.send(this.#ids, sse(this.#label + ++this.sent)));
		const answered = () => void this.#unanswered--;
		result.catch((error) => this.#refused.push(error)).then(answered);
	}

	/** Waits for every reply; none may be a refusal. */
	async assertTaken(): Promise<void> {
		while (this.#unanswered > 0) await setImmediate();
		assert.deepEqual(this.#refused, []);
	}

	/** The numbers of ours among `texts`. */
	of(texts: readonly string[]): number[] {
		return texts.filter((text) => text.startsWith(this.#label)).map((text) => Number(text.slice(this.#label.length)));
	}
}

/** Moves the slot of `key` with all its keys, as `redis-cli --cluster reshard` does. */
async function moveSlot(redis: RedisTopology, key: string, from: RedisServer, to: RedisServer): Promise<void> {
	const [source, target] = [from.client(), to.client()];
	const slot = await source.cluster('KEYSLOT', key);
	const [sourceId, targetId] = [await source.cluster('MYID'), await target.cluster('MYID')];
	await target.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', sourceId);
	await source.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', targetId);
	const keys = (await source.call('CLUSTER', 'GETKEYSINSLOT', slot, 100)) as string[];
	if (keys.length > 0) await source.call('MIGRATE', '127.0.0.1', to.port, '', 0, 5_000, 'KEYS', ...keys);
	for (const admin of [target, source]) await admin.call('CLUSTER', 'SETSLOT', slot, 'NODE', targetId);
	await until('every master knows', async () => (await redis.masterOf(key)) === to);
}
