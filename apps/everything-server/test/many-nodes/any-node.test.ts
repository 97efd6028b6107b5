import { describe, expect, test } from 'vitest';
import { type Cluster, useCluster } from './support/cluster.ts';
import { numbers, range, structured, WireSession } from './support/wire-session.ts';

const cluster = useCluster();
const indices = [0, 1, 2];

/** Every way to give five kinds of requests to three nodes. */
const paths = indices.flatMap((initialize) => indices.map((post) => ({ initialize, post })));

describe('a session is served by any node', () => {
	test.each(paths)(
		'initialized on node $initialize, with POSTs to node $post: its stream opens, resumes and is ended anywhere',
		async ({ initialize, post }) => {
			const rest = indices.flatMap((open) =>
				indices.flatMap((resume) => indices.map((end) => ({ open, resume, end }))),
			);
			await Promise.all(rest.map((nodes) => converse(cluster, { initialize, post, ...nodes })));
		},
	);

	test.each(['post open resume', 'open post resume', 'open resume post', 'post open post resume post'])(
		'whatever the order of its requests: %s',
		async (order) => {
			const starts = [0, 1, 2, 3, 4, 5];
			await Promise.all(starts.map((start) => converseInOrder(cluster, order.split(' '), start)));
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
		[0, [1]],
		[0, [1, 2, 1, 0, 2]],
		[1, [2, 0]],
		[2, [0, 0, 1, 2]],
	])('from node %i goes on live on nodes %j, each message once and in order, to its answer', async (runs, hops) => {
		const count = 12 * (hops.length + 1);
		const session = await WireSession.open(cluster.node(runs + 1));
		const { nodeId } = await session.info(cluster.node(runs));
		let stream = await session.call(cluster.node(runs), 'log_many', { count, intervalMs: 10 });
		const received: number[] = [];
		for (const hop of hops) {
			await stream.message(3);
			received.push(...numbers(stream));
			stream.drop();
			stream = await session.open(cluster.node(hop), stream.lastEventId);
		}
		const answer = await stream.answer();
		expect(structured(answer)).toEqual({ count, nodeId });
		expect([...received, ...numbers(stream)]).toEqual(range(1, count));
		await stream.ended();
	});

	test.each(indices)('that says nothing before its answer is answered on node %i', async (hop) => {
		const session = await WireSession.open(cluster.node(0));
		const { nodeId } = await session.info(cluster.node(0));
		const stream = await session.call(cluster.node(0), 'sleep', { ms: 600 });
		await stream.event(0);
		stream.drop();
		const resumed = await session.open(cluster.node(hop), stream.lastEventId);
		expect(structured(await resumed.answer())).toEqual({ nodeId });
		await resumed.ended();
	});

	test('is over once its answer was received: to resume after it is refused on every node', async () => {
		const session = await WireSession.open(cluster.node(0));
		const stream = await session.call(cluster.node(0), 'log_many', { count: 2 });
		await stream.ended();
		for (const index of indices)
			expect((await session.stream(cluster.node(index), stream.lastEventId)).status).toBe(405);
	});

	test('ends when a notifications/cancelled reaches another node, and the call stops', async () => {
		const session = await WireSession.open(cluster.node(0));
		const held = await session.open(cluster.node(2));
		for (const index of indices) {
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

interface Path {
	readonly initialize: number;
	readonly post: number;
	readonly open: number;
	readonly resume: number;
	readonly end: number;
}

/** Whatever is sent (before the stream is open, while it is, after it was cut, and when it was resumed) is received once. */
async function converse({ nodes }: Cluster, path: Path): Promise<void> {
	const at = (index: number) => nodes[index] as { port: number };
	const session = await WireSession.open(at(path.initialize));
	const log = () => session.result(at(path.post), 'log_session', { count: 2 });
	await log();
	const stream = await session.open(at(path.open));
	await log();
	await stream.message(3);
	expect(numbers(stream), JSON.stringify(path)).toEqual([1, 2, 1, 2]);
	stream.drop();
	await log();
	const resumed = await session.open(at(path.resume), stream.lastEventId);
	await log();
	await resumed.message(3);
	expect(numbers(resumed), JSON.stringify(path)).toEqual([1, 2, 1, 2]);
	expect((await session.end(at(path.end))).status).toBe(200);
	await resumed.ended();
	for (const node of nodes) await expect.poll(() => session.ping(node), { timeout: 5_000 }).toBe(404);
}

/** The same, with steps in an order of their own, each on the next node. */
async function converseInOrder({ nodes }: Cluster, order: readonly string[], start: number): Promise<void> {
	let turn = start;
	// The first three rounds go one way around, the others the other way.
	const next = () => nodes[(turn += start < 3 ? 1 : 2) % nodes.length] as { port: number };
	const session = await WireSession.open(next());
	let sent = 0;
	let stream: Awaited<ReturnType<WireSession['open']>> | undefined;
	const received: number[] = [];
	for (const step of order) {
		if (step === 'post') {
			await session.result(next(), 'log_session', { count: 3 });
			sent += 3;
		} else if (step === 'open') {
			stream = await session.open(next());
		} else {
			received.push(...(await allOf(stream, sent - received.length)));
			stream?.drop();
			stream = await session.open(next(), stream?.lastEventId);
		}
	}
	received.push(...(await allOf(stream, sent - received.length)));
	expect(received).toEqual(order.filter((step) => step === 'post').flatMap(() => [1, 2, 3]));
	expect((await session.end(next())).status).toBe(200);
	await stream?.ended();
}

async function allOf(stream: Awaited<ReturnType<WireSession['open']>> | undefined, count: number): Promise<number[]> {
	if (stream === undefined) throw new Error('No stream was opened.');
	if (count > 0) await stream.message(count - 1);
	return numbers(stream);
}
