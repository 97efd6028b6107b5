import { describe, expect, onTestFinished, test } from 'vitest';
import type { WireResponse } from '../../../../test/support/clients/wire-response.ts';
import { letters, type Target, useCluster } from './support/cluster.ts';
import { numbers, range, structured, WireSession } from './support/wire-session.ts';

const cluster = useCluster();
/** How soon a new stream is there, in milliseconds; a machine that is busy needs some of it. */
const AT_ONCE_MS = 2_000;
/** Every way to give two kinds of requests to three nodes. */
const pairs = letters.flatMap((initialize) => letters.map((post) => ({ initialize, post })));

describe('a session is served by any node', () => {
	test.each(pairs)(
		'initialized on $initialize, with POSTs to $post: its stream is opened, resumed and ended on any',
		async ({ initialize, post }) => {
			const rest = letters.flatMap((open) =>
				letters.flatMap((resume) => letters.map((end) => [open, resume, end] as const)),
			);
			await Promise.all(rest.map(([open, resume, end]) => converse({ initialize, post, open, resume, end })));
		},
	);

	test.each(['post open resume', 'open post resume', 'open resume post', 'post open post resume post'])(
		'whatever the order of its requests: %s',
		async (order) => {
			const ways = letters.flatMap((_, first) => [1, 2].map((step) => ({ first, step })));
			await Promise.all(ways.map(({ first, step }) => converseInOrder(order.split(' '), first, step)));
		},
	);

	test('a call is answered by every node, at the same time', async () => {
		const session = await WireSession.open(cluster.node(0));
		const answers = await Promise.all(
			range(1, 30).map((n) => session.result(cluster.node(n), 'session_info').then(({ nodeId }) => nodeId)),
		);
		expect(new Set(answers).size).toBe(3);
	});
});

describe('a stream of a call that runs on one node', () => {
	test.each([
		['A', 'B'],
		['A', 'BCBAC'],
		['B', 'CA'],
		['C', 'AABC'],
	] as const)('on %s goes on live on %s, each message once and in order, to its answer', async (runs, hops) => {
		const count = 12 * (hops.length + 1);
		const session = await WireSession.open(cluster.at('B'));
		const { nodeId } = await session.info(cluster.at(runs));
		let stream = await session.call(cluster.at(runs), 'log_many', { count, intervalMs: 10 });
		const received: number[] = [];
		for (const hop of hops.split('') as (typeof letters)[number][]) {
			await stream.message(3);
			received.push(...numbers(stream));
			stream.drop();
			stream = await session.open(cluster.at(hop), stream.lastEventId);
		}
		const answer = await stream.answer();
		expect(structured(answer)).toEqual({ count, nodeId });
		expect([...received, ...numbers(stream)]).toEqual(range(1, count));
		await stream.ended();
	});

	test.each(letters)('that says nothing before its response is answered on %s', async (hop) => {
		const session = await WireSession.open(cluster.node(0));
		const { nodeId } = await session.info(cluster.node(0));
		const stream = await session.call(cluster.node(0), 'sleep', { ms: 600 });
		await stream.event(0);
		stream.drop();
		const resumed = await session.open(cluster.at(hop), stream.lastEventId);
		expect(structured(await resumed.answer())).toEqual({ nodeId });
		await resumed.ended();
	});

	test('is over once its response was received: to resume after it is refused on every node', async () => {
		const session = await WireSession.open(cluster.node(0));
		const stream = await session.call(cluster.node(0), 'log_many', { count: 2 });
		await stream.ended();
		for (const node of cluster.nodes) expect((await session.stream(node, stream.lastEventId)).status).toBe(405);
	});

	test('ends when a notifications/cancelled reaches another node, and the call stops', async () => {
		const session = await WireSession.open(cluster.node(0));
		const held = await session.open(cluster.node(2));
		for (const index of [0, 1, 2]) {
			const id = session.nextId();
			const stream = await session.call(cluster.node(index), 'log_many', { count: 100_000, intervalMs: 5 }, id);
			await stream.message(2);
			const cancelled = { method: 'notifications/cancelled', params: { requestId: id, reason: 'enough' } };
			expect((await session.post(cluster.node(index + 1), cancelled)).status).toBe(202);
			await stream.ended();
			expect(stream.messages.every(({ message }) => message.method === 'notifications/message')).toBe(true);
			// The id is free again, on the node where the call ran too.
			expect(
				structured(await (await session.call(cluster.node(index), 'sleep', { ms: 0 }, id)).answer()),
			).toBeDefined();
		}
		await session.result(cluster.node(1), 'log_session', { count: 1 });
		await held.message(0);
		expect(numbers(held)).toEqual([1]);
	});
});

test('a stream whose node was killed goes on at once through the balancer, and nothing is lost', async () => {
	const session = await WireSession.open(cluster.balancer);
	const old = await session.open(cluster.at('A'));
	const sent = session.result(cluster.at('B'), 'log_session', { count: 200 });
	await old.message(10);
	onTestFinished(() => cluster.heal());
	await cluster.at('A').kill();
	await old.ended();
	const began = performance.now();
	const next = await session.open(cluster.balancer, old.lastEventId);
	expect(performance.now() - began).toBeLessThan(AT_ONCE_MS);
	await sent;
	await expect.poll(() => [...numbers(old), ...numbers(next)], { timeout: 10_000 }).toEqual(range(1, 200));
	expect(await session.ping(cluster.balancer)).toBe(200);
});

type Letter = (typeof letters)[number];

/**
 * Whatever is sent (before the stream is open, while it is, after it was cut, and when it was resumed) is received
 * once.
 */
async function converse(path: Record<'initialize' | 'post' | 'open' | 'resume' | 'end', Letter>): Promise<void> {
	const session = await WireSession.open(cluster.at(path.initialize));
	const log = () => session.result(cluster.at(path.post), 'log_session', { count: 2 });
	await log();
	const stream = await session.open(cluster.at(path.open));
	await log();
	await stream.message(3);
	expect(numbers(stream), JSON.stringify(path)).toEqual([1, 2, 1, 2]);
	stream.drop();
	await log();
	const resumed = await session.open(cluster.at(path.resume), stream.lastEventId);
	await log();
	await resumed.message(3);
	expect(numbers(resumed), JSON.stringify(path)).toEqual([1, 2, 1, 2]);
	expect((await session.end(cluster.at(path.end))).status).toBe(200);
	await resumed.ended();
	for (const node of cluster.nodes) await expect.poll(() => session.ping(node), { timeout: 5_000 }).toBe(404);
}

/** The same with steps in an order of their own, each on another node than the one before. */
async function converseInOrder(order: readonly string[], first: number, step: number): Promise<void> {
	let turn = first;
	const next = (): Target => {
		turn += step;
		return cluster.node(turn);
	};
	const session = await WireSession.open(next());
	let sent = 0;
	let stream: WireResponse | undefined;
	const received: number[] = [];
	for (const request of order) {
		if (request === 'post') {
			await session.result(next(), 'log_session', { count: 3 });
			sent += 3;
		} else if (request === 'open') {
			stream = await session.open(next());
		} else {
			received.push(...(await allOf(stream, sent - received.length)));
			stream?.drop();
			stream = await session.open(next(), stream?.lastEventId);
		}
	}
	received.push(...(await allOf(stream, sent - received.length)));
	expect(received).toEqual(order.filter((request) => request === 'post').flatMap(() => [1, 2, 3]));
	expect((await session.end(next())).status).toBe(200);
	await stream?.ended();
}

/** The numbers of a stream that is due to receive `count` of them. */
async function allOf(stream: WireResponse | undefined, count: number): Promise<number[]> {
	if (stream === undefined) throw new Error('No stream was opened.');
	if (count > 0) await stream.message(count - 1);
	return numbers(stream);
}
