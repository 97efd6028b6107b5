import { describe, expect, onTestFinished, test } from 'vitest';
import type { WireResponse } from '../../../../test/support/clients/wire-response.ts';
import { useCluster } from './support/cluster.ts';
import { everyCapability, numbers, range, structured, WireSession } from './support/wire-session.ts';

const cluster = useCluster();

/** Nobody waits longer for a node that died, in milliseconds. */
const NOBODY_WAITS_MS = 15_000;

describe('when a node dies that runs a call and waits for a response,', () => {
	test('a client that resumes elsewhere gets an error for each request, and the session lives on', async () => {
		const { session, calls } = await callsOnA();
		await killed(0, ...calls.map(({ stream }) => stream));
		await Promise.all(
			calls.map(async ({ stream, id }) => {
				const resumed = await session.open(cluster.node(1), stream.lastEventId);
				await failsInTime(resumed, id);
				// Whoever comes back once more learns that nothing follows, and the id is free.
				expect((await session.stream(cluster.node(2), resumed.lastEventId)).status).toBe(405);
				const again = await session.call(cluster.node(2), 'sleep', { ms: 0 }, id);
				expect(structured(await again.answer())).toBeDefined();
			}),
		);
	});

	test('a client that had resumed elsewhere before gets an error for each request, too', async () => {
		const { session, calls } = await callsOnA();
		const resumed = await Promise.all(calls.map(({ stream }) => session.open(cluster.node(2), stream.lastEventId)));
		await killed(0, ...calls.map(({ stream }) => stream));
		await Promise.all(calls.map(({ id }, index) => failsInTime(resumed[index], id)));
	});

	test('a client that resumes on the node that took its address gets an error for each request', async () => {
		const { session, calls } = await callsOnA();
		await killed(0, ...calls.map(({ stream }) => stream));
		await cluster.heal();
		await Promise.all(
			calls.map(async ({ stream, id }) => failsInTime(await session.open(cluster.node(0), stream.lastEventId), id)),
		);
	});
});

test('a response for a node that died is accepted on every other as a late one, and another question is answered', async () => {
	const session = await WireSession.open(cluster.node(1), everyCapability);
	const call = await session.call(cluster.node(0), 'ask', { message: 'Well?' });
	const question = await call.find(({ method }) => method === 'elicitation/create');
	await killed(0, call);
	const began = performance.now();
	const answers = [1, 2].map((index) => session.answer(cluster.node(index), question, { action: 'decline' }));
	expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([202, 202]);
	expect(performance.now() - began).toBeLessThan(NOBODY_WAITS_MS);
	const again = await session.call(cluster.node(2), 'ask', { message: 'Well then?' });
	const next = await again.find(({ method }) => method === 'elicitation/create');
	await session.answer(cluster.node(1), next, { action: 'decline' });
	expect(structured(await again.answer())).toMatchObject({ action: 'decline' });
});

test('a notifications/cancelled for a call of a node that died is taken, and nothing comes of it', async () => {
	const session = await WireSession.open(cluster.node(1));
	const id = session.nextId();
	const call = await session.call(cluster.node(0), 'log_many', { count: 100_000, intervalMs: 20 }, id);
	await call.message(0);
	await killed(0, call);
	const cancelled = { method: 'notifications/cancelled', params: { requestId: id } };
	expect((await session.post(cluster.node(1), cancelled)).status).toBe(202);
	expect(await session.ping(cluster.node(1))).toBe(200);
});

test('a question on the session stream survives the node that held it', async () => {
	const session = await WireSession.open(cluster.node(1), everyCapability);
	const held = await session.open(cluster.node(0));
	const call = session.call(cluster.node(1), 'ask', { message: 'Well?', stream: 'session' });
	await held.find(({ method }) => method === 'elicitation/create');
	const before = held.blocks[0]?.id;
	await killed(0, held);
	const next = await session.open(cluster.node(2), before);
	const question = await next.find(({ method }) => method === 'elicitation/create');
	await session.answer(cluster.node(2), question, { action: 'decline' });
	expect(structured(await (await call).answer())).toMatchObject({ action: 'decline' });
});

test('the stream of a call survives the node on which its client had resumed', async () => {
	const session = await WireSession.open(cluster.node(1));
	const call = await session.call(cluster.node(1), 'log_many', { count: 60, intervalMs: 20 });
	await call.message(2);
	call.drop();
	const onTheDead = await session.open(cluster.node(0), call.lastEventId);
	await onTheDead.message(2);
	await killed(0, onTheDead);
	const last = await session.open(cluster.node(2), onTheDead.lastEventId);
	expect(structured(await last.answer())).toMatchObject({ count: 60 });
	expect([call, onTheDead, last].flatMap(numbers)).toEqual(range(1, 60));
});

/** A session with a call that runs on A, and one that waits there for a response. */
async function callsOnA() {
	const session = await WireSession.open(cluster.node(1), everyCapability);
	const tools = [
		['log_many', { count: 100_000, intervalMs: 20 }],
		['ask', { message: 'Well?' }],
	] as const;
	const calls = await Promise.all(
		tools.map(async ([tool, args]) => {
			const id = session.nextId();
			const stream = await session.call(cluster.node(0), tool, args, id);
			await stream.message(0);
			return { id, stream };
		}),
	);
	return { session, calls };
}

/** Kills a node with -9 until the test is over, and waits until the streams that it held have broken. */
async function killed(index: number, ...streams: WireResponse[]): Promise<void> {
	onTestFinished(() => cluster.heal());
	await cluster.node(index).kill();
	await Promise.all(streams.map((stream) => stream.ended()));
}

/** The stream ends in time, with an error for request `id` as its last message. */
async function failsInTime(stream: WireResponse | undefined, id: number): Promise<void> {
	if (stream === undefined) throw new Error('There is no stream.');
	stream.deadlineMs = NOBODY_WAITS_MS;
	await stream.ended();
	expect(stream.broken).toBe(false);
	expect(stream.messages.at(-1)?.message).toMatchObject({
		id,
		error: { code: -32000, message: expect.stringContaining('lost') },
	});
	expect(stream.messages.filter(({ message }) => 'error' in message)).toHaveLength(1);
}
