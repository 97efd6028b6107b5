import { describe, expect, test } from 'vitest';
import { letters, useCluster } from './support/cluster.ts';
import { numbers, range, structured, WireSession } from './support/wire-session.ts';

const cluster = useCluster();
const uri = 'test://watched-resource';

/** What one node was told holds on the others soon: measured in milliseconds, waited for much longer. */
const soon = { timeout: 5_000, interval: 5 };

describe.each(letters)('what a client sets on %s holds on all:', (letter) => {
	const index = letters.indexOf(letter);

	test('the log level, also where the session was in use before', async () => {
		const session = await WireSession.open(cluster.node(0));
		for (const node of cluster.nodes) expect(await session.info(node)).toMatchObject({ logLevel: null });
		for (const level of ['error', 'debug', 'warning']) {
			await session.request(cluster.node(index), 'logging/setLevel', { level });
			for (const node of cluster.nodes) {
				await expect.poll(async () => (await session.info(node)).logLevel, soon).toBe(level);
			}
		}
		for (const node of cluster.nodes) {
			const muted = await session.call(node, 'log_many', { count: 3, level: 'info' });
			expect((await muted.json()).result.structuredContent.count).toBe(3);
			const heard = await session.call(node, 'log_many', { count: 3, level: 'error' });
			await heard.answer();
			expect(numbers(heard)).toEqual([1, 2, 3]);
		}
	});

	test('a subscription, and its end', async () => {
		const session = await WireSession.open(cluster.node(0));
		const stream = await session.open(cluster.node(index + 1));
		const told = () => stream.messages.map(({ message }) => message.params.uri);
		expect((await session.request(cluster.node(index), 'resources/subscribe', { uri })).status).toBe(200);
		for (const node of cluster.nodes) {
			expect(await session.info(node)).toMatchObject({ subscriptions: [uri] });
			await session.result(node, 'notify_updated', { uri, count: 2 });
		}
		await stream.message(5);
		expect(told()).toEqual(range(1, 6).map(() => uri));
		await session.request(cluster.node(index + 2), 'resources/unsubscribe', { uri });
		for (const node of cluster.nodes) {
			expect(await session.info(node)).toMatchObject({ subscriptions: [] });
			await session.result(node, 'notify_updated', { uri });
		}
		await session.result(cluster.node(0), 'log_session', { count: 1 });
		expect(await stream.message(6)).toMatchObject({ method: 'notifications/message' });
	});

	test.each(['DELETE', 'end_session'])('the end of the session, with %s', async (how) => {
		const session = await WireSession.open(cluster.node(0));
		const others = [cluster.node(index + 1), cluster.node(index + 2)];
		const stream = await session.open(cluster.node(index + 1));
		const calls = await Promise.all(
			others.map((node) => session.call(node, 'log_many', { count: 100_000, intervalMs: 20 })),
		);
		await Promise.all(calls.map((call) => call.message(0)));
		if (how === 'DELETE') await session.end(cluster.node(index));
		else await session.result(cluster.node(index), 'end_session');
		for (const node of cluster.nodes) await expect.poll(() => session.ping(node), soon).toBe(404);
		await Promise.all([stream.ended(), ...calls.map((call) => call.ended())]);
		// What ran on other nodes had a moment for a response of its own.
		for (const call of calls) expect(structured(await call.answer()).count).toBeGreaterThan(0);
	});
});

describe('a message for many sessions', () => {
	test('reaches each of 200 streams on three nodes once, whichever node says it', async () => {
		const sessions = await Promise.all(range(1, 200).map((n) => WireSession.open(cluster.node(n))));
		const streams = await Promise.all(sessions.map((session, n) => session.open(cluster.node(n))));
		for (const node of cluster.nodes) await sessions[0]?.result(node, 'notify_list_changed', { kind: 'tools' });
		await Promise.all(streams.map((stream) => stream.message(2)));
		await Promise.all(
			sessions.map((session, n) => session.request(cluster.node(n), 'resources/subscribe', { uri: 'test://all' })),
		);
		for (const node of cluster.nodes) await sessions[0]?.result(node, 'notify_updated', { uri: 'test://all' });
		await Promise.all(streams.map((stream) => stream.message(5)));
		for (const stream of streams) expect(stream.messages).toHaveLength(6);
	});

	test('leaves nothing behind of a session that ended elsewhere', async () => {
		const session = await WireSession.open(cluster.node(0));
		const witness = await WireSession.open(cluster.node(1));
		for (const each of [session, witness]) await each.request(cluster.node(0), 'resources/subscribe', { uri });
		await session.open(cluster.node(1));
		await session.result(cluster.node(2), 'log_session', { count: 5 });
		await session.end(cluster.node(2));
		await witness.result(cluster.node(0), 'notify_updated', { uri });
		const keys = () => cluster.redis.client().keys('*');
		await expect.poll(async () => (await keys()).filter((key) => key.includes(session.id)), soon).toEqual([]);
	});
});
