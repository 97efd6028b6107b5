import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { WireResponse } from '../../../../test/support/clients/wire-response.ts';
import { useCluster } from './support/cluster.ts';
import { everyCapability, numbers, range, structured, WireSession } from './support/wire-session.ts';

const cluster = useCluster();

/** Nobody waits longer for a node that died, in milliseconds. */
const NOBODY_WAITS_MS = 15_000;

describe.concurrent('when a node dies that runs calls and waits for responses,', () => {
	let scenes: Awaited<ReturnType<typeof scenesOnA>>;

	beforeAll(async () => {
		scenes = await scenesOnA();
		await killed(0, ...scenes.streams);
	});

	afterAll(() => cluster.heal());

	test('a client that resumes elsewhere gets an error for each request, and the session lives on', async () => {
		const { session, calls } = scenes.resumesLater;
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
		const { calls, resumed } = scenes.resumedBefore;
		await Promise.all(calls.map(({ id }, index) => failsInTime(resumed[index], id)));
	});

	test('a response is accepted on every other as a late one, and another question is answered', async () => {
		const { session, question } = scenes.asked;
		for (const index of [1, 2]) {
			const began = performance.now();
			expect((await session.answer(cluster.node(index), question, { action: 'decline' })).status).toBe(202);
			expect(performance.now() - began).toBeLessThan(NOBODY_WAITS_MS);
		}
		const again = await session.call(cluster.node(2), 'ask', { message: 'Well then?' });
		const next = await again.find(({ method }) => method === 'elicitation/create');
		await session.answer(cluster.node(1), next, { action: 'decline' });
		expect(structured(await again.answer())).toMatchObject({ action: 'decline' });
	});

	test('a notifications/cancelled for its call is taken, and nothing comes of it', async () => {
		const { session, id } = scenes.cancelled;
		const cancelled = { method: 'notifications/cancelled', params: { requestId: id } };
		expect((await session.post(cluster.node(1), cancelled)).status).toBe(202);
		expect(await session.ping(cluster.node(1))).toBe(200);
	});

	test('a question on the session stream that it held survives', async () => {
		const { session, before, call } = scenes.held;
		const next = await session.open(cluster.node(2), before);
		const question = await next.find(({ method }) => method === 'elicitation/create');
		await session.answer(cluster.node(2), question, { action: 'decline' });
		expect(structured(await (await call).answer())).toMatchObject({ action: 'decline' });
	});

	test('the stream of a call survives whose client had resumed on it', async () => {
		const { session, streams } = scenes.carried;
		const last = await session.open(cluster.node(2), streams.at(-1)?.lastEventId);
		expect(structured(await last.answer())).toMatchObject({ count: 60 });
		expect([...streams, last].flatMap(numbers)).toEqual(range(1, 60));
	});
});

test('a client that resumes on the node that took the address of a dead one gets an error for each request', async () => {
	const { session, calls } = await callsOnA();
	onTestFinished(() => cluster.heal());
	await killed(0, ...calls.map(({ stream }) => stream));
	await cluster.heal();
	await Promise.all(
		calls.map(async ({ stream, id }) => failsInTime(await session.open(cluster.node(0), stream.lastEventId), id)),
	);
});

/** What is lost with A, for a session of each test, and the streams that A holds. */
async function scenesOnA() {
	const [resumesLater, resumedBefore, asked, cancelled, held, carried] = await Promise.all([
		callsOnA(),
		resumedOnC(),
		askedOnA(),
		calledOnA(),
		heldByA(),
		carriedByA(),
	]);
	const streams = [
		...[resumesLater, resumedBefore].flatMap(({ calls }) => calls.map(({ stream }) => stream)),
		...[asked, cancelled, held].map(({ stream }) => stream),
		...carried.streams.slice(-1),
	];
	return { resumesLater, resumedBefore, asked, cancelled, held, carried, streams };
}

/** Calls on A whose client has gone on to C with their streams. */
async function resumedOnC() {
	const { session, calls } = await callsOnA();
	const resumed = await Promise.all(calls.map(({ stream }) => session.open(cluster.node(2), stream.lastEventId)));
	return { calls, resumed };
}

/** A call that runs on A and asks its client. */
async function askedOnA() {
	const session = await WireSession.open(cluster.node(1), everyCapability);
	const stream = await session.call(cluster.node(0), 'ask', { message: 'Well?' });
	const question = await stream.find(({ method }) => method === 'elicitation/create');
	return { session, stream, question };
}

/** A call that runs on A. */
async function calledOnA() {
	const session = await WireSession.open(cluster.node(1));
	const id = session.nextId();
	const stream = await session.call(cluster.node(0), 'log_many', { count: 100_000, intervalMs: 20 }, id);
	await stream.message(0);
	return { session, stream, id };
}

/** A question of B on a session stream that A holds. */
async function heldByA() {
	const session = await WireSession.open(cluster.node(1), everyCapability);
	const stream = await session.open(cluster.node(0));
	const call = session.call(cluster.node(1), 'ask', { message: 'Well?', stream: 'session' });
	await stream.find(({ method }) => method === 'elicitation/create');
	return { session, stream, call, before: stream.blocks[0]?.id };
}

/** A call on B whose client has gone on to A with its stream. */
async function carriedByA() {
	const session = await WireSession.open(cluster.node(1));
	const call = await session.call(cluster.node(1), 'log_many', { count: 60, intervalMs: 20 });
	await call.message(2);
	call.drop();
	const onTheDead = await session.open(cluster.node(0), call.lastEventId);
	await onTheDead.message(2);
	return { session, streams: [call, onTheDead] };
}

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

/** Kills a node with -9, and waits until the streams that it held have broken. */
async function killed(index: number, ...streams: WireResponse[]): Promise<void> {
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
