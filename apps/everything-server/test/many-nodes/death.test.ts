import { describe, expect, onTestFinished, test } from 'vitest';
import type { WireAnswer } from '../../../../packages/transport-http/test/support/wire-answer.ts';
import { useCluster } from './support/cluster.ts';
import { everyCapability, numbers, range, structured, WireSession } from './support/wire-session.ts';

const cluster = useCluster();

/** Nobody waits longer for a node that died, in milliseconds. */
const NOBODY_WAITS_MS = 15_000;

/** What a call of a node does when that dies. */
const calls = [
	{ does: 'runs a call', tool: 'log_many', args: { count: 100_000, intervalMs: 20 } },
	{ does: 'waits for an answer', tool: 'ask', args: { message: 'Well?' } },
];

describe.each(calls)('when a node that $does dies,', ({ tool, args }) => {
	test('the client that resumes elsewhere gets an error for its request, and the session lives on', async () => {
		const session = await WireSession.open(cluster.node(1), everyCapability);
		const id = session.nextId();
		const call = await session.call(cluster.node(0), tool, args, id);
		await call.message(0);
		await killed(0, call);
		const resumed = await session.open(cluster.node(1), call.lastEventId);
		await failsInTime(resumed, id);
		// Whoever comes back once more learns that nothing follows, and the id is free.
		expect((await session.stream(cluster.node(2), resumed.lastEventId)).status).toBe(405);
		expect(structured(await (await session.call(cluster.node(2), 'sleep', { ms: 0 }, id)).answer())).toBeDefined();
	});

	test('the client that had resumed elsewhere before gets an error, too', async () => {
		const session = await WireSession.open(cluster.node(1), everyCapability);
		const id = session.nextId();
		const call = await session.call(cluster.node(0), tool, args, id);
		await call.message(0);
		const resumed = await session.open(cluster.node(2), call.lastEventId);
		await call.ended();
		await killed(0);
		await failsInTime(resumed, id);
	});

	test('the client that resumes on the node that took its address gets an error', async () => {
		const session = await WireSession.open(cluster.node(1), everyCapability);
		const id = session.nextId();
		const call = await session.call(cluster.node(0), tool, args, id);
		await call.message(0);
		await killed(0, call);
		await cluster.heal();
		await failsInTime(await session.open(cluster.node(0), call.lastEventId), id);
	});
});

test('an answer for a node that died is refused on every other, and another question is answered', async () => {
	const session = await WireSession.open(cluster.node(1), everyCapability);
	const call = await session.call(cluster.node(0), 'ask', { message: 'Well?' });
	const question = await call.find(({ method }) => method === 'elicitation/create');
	await killed(0, call);
	for (const index of [1, 2]) {
		const began = performance.now();
		expect((await session.answer(cluster.node(index), question, { action: 'decline' })).status).toBe(400);
		expect(performance.now() - began).toBeLessThan(NOBODY_WAITS_MS);
	}
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

/** Kills a node with -9 until the test is over, and waits until `stream`, which it held, has broken. */
async function killed(index: number, stream?: WireAnswer): Promise<void> {
	onTestFinished(() => cluster.heal());
	await cluster.node(index).kill();
	await stream?.ended();
}

/** The stream ends in time, with an error for request `id` as its last message. */
async function failsInTime(stream: WireAnswer, id: number): Promise<void> {
	stream.deadlineMs = NOBODY_WAITS_MS;
	await stream.ended();
	expect(stream.broken).toBe(false);
	expect(stream.messages.at(-1)?.message).toMatchObject({
		id,
		error: { code: -32000, message: expect.stringContaining('lost') },
	});
	expect(stream.messages.filter(({ message }) => 'error' in message)).toHaveLength(1);
}
