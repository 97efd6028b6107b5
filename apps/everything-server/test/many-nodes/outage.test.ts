import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { WireResponse } from '../../../../test/support/clients/wire-response.ts';
import { useCluster } from './support/cluster.ts';
import { readiness } from './support/health.ts';
import { BACK_MS, describeOutages } from './support/outage-cases.ts';
import { outages } from './support/outages.ts';
import { everyCapability, numbers, range, WireSession } from './support/wire-session.ts';

const cluster = useCluster({ redis: { appendonly: 'yes', appendfsync: 'always' } });

describeOutages('Redis', cluster, outages);

test('after Redis started again without its data, sessions are unknown, streams close, and new sessions work', async () => {
	const [a, b] = [cluster.node(0), cluster.node(1)];
	const session = await WireSession.open(a, everyCapability);
	const idle = await WireSession.open(b);
	const streams = [await session.open(b), await session.call(a, 'ask', { message: 'Well?' }), await idle.open(a)];
	await cluster.redis.kill();
	onTestFinished(() => cluster.heal());
	rmSync(join(cluster.redis.folder, 'appendonlydir'), { recursive: true });
	await cluster.redis.start();
	await Promise.all(streams.map((stream) => stream.ended()));
	for (const node of cluster.nodes) {
		for (const { id } of [session, idle]) await expect.poll(() => new WireSession(id).ping(node)).toBe(404);
		expect((await session.stream(node, streams[0]?.lastEventId)).status).toBe(404);
		expect(node.running).toBe(true);
	}
	const next = await WireSession.open(a);
	const stream = await next.open(b);
	for (const node of cluster.nodes) await next.result(node, 'log_session', { count: 2 });
	await stream.message(5);
	expect(numbers(stream)).toEqual([1, 2, 1, 2, 1, 2]);
});

test('200 open streams outlive a restart of Redis, and each hears of the next changes once', async () => {
	const sessions = await Promise.all(range(1, 200).map((n) => WireSession.open(cluster.node(n))));
	const streams = await Promise.all(sessions.map((session, n) => session.open(cluster.node(n))));
	await cluster.redis.kill();
	onTestFinished(() => cluster.heal());
	await cluster.redis.start();
	for (const node of cluster.nodes) await expect.poll(() => readiness(node), { timeout: BACK_MS }).toBe(200);
	for (const index of [1, 2]) await sessions[0]?.result(cluster.node(index), 'notify_list_changed', { kind: 'tools' });
	await Promise.all(sessions.map((session, n) => session.result(cluster.node(n), 'log_session', { count: 1 })));
	await Promise.all(streams.map((stream) => stream.find(({ method }) => method === 'notifications/message')));
	// A Redis that started again may have lost something: clients may be told to read every list again, once.
	const changes = (stream: WireResponse, kind: string) =>
		stream.messages.filter(({ message }) => message.method === `notifications/${kind}/list_changed`).length;
	const told = (stream: WireResponse) => ['tools', 'prompts', 'resources'].map((kind) => changes(stream, kind)).join();
	for (const stream of streams) await expect.poll(() => told(stream)).toMatch(/^(2,0,0|3,1,1)$/);
	expect(streams.filter(({ over }) => over)).toEqual([]);
});
