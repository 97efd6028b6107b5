import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { letters, startNode, useCluster } from '../../apps/everything-server/test/many-nodes/support/cluster.ts';
import {
	everyCapability,
	numbers,
	range,
	structured,
	WireSession,
} from '../../apps/everything-server/test/many-nodes/support/wire-session.ts';
import { openSseSession, posts } from '../support/clients/sse-over-http.ts';
import type { WireResponse } from '../support/clients/wire-response.ts';
import { TcpProxy } from '../support/network/tcp-proxy.ts';

/** Nobody waits longer for a node that hangs, in milliseconds; and what a busy machine needs. */
const NOBODY_WAITS_MS = 15_000 + 5_000;
/** Two of these are more than Redis lets a subscriber leave unread. */
const LARGE = 'x'.repeat(200_000);

// Each call has a stream that Redis carries, and subscribers that fall behind are cut off soon.
const cluster = useCluster({
	flags: ['--response-mode', 'sse', '--drain-timeout-ms', '500'],
	redis: { 'client-output-buffer-limit': 'pubsub 256kb 128kb 1' },
});

beforeEach(() => cluster.heal());

describe('four large responses of one session at once reach their client', () => {
	test('though Redis cuts off the subscriber that they are too much for', async () => {
		const a = cluster.at('A');
		const session = await WireSession.open(a);
		await session.result(a, 'state_set', { key: 'k', value: LARGE });
		for (let round = 0; round < 5; round++) {
			const calls = await Promise.all(range(1, 4).map(() => session.call(a, 'state_get', { key: 'k' })));
			const answers = await Promise.all(calls.map((call) => call.answer()));
			for (const answer of answers) expect(structured(answer)).toMatchObject({ value: LARGE });
			await Promise.all(calls.map((call) => call.ended()));
		}
	});

	test('over HTTP+SSE, from another node than the one that holds the stream, or an error does', async () => {
		const client = await openSseSession(cluster.at('A'));
		const onB = client.at(posts(cluster.at('B')));
		await onB.answerTo(await onB.call('state_set', { key: 'k', value: LARGE }));
		for (let round = 0; round < 5; round++) {
			const ids = await Promise.all(range(1, 4).map(() => onB.call('state_get', { key: 'k' })));
			for (const id of ids) {
				const { result, error } = await onB.answerTo(id);
				expect(result?.structuredContent ?? error).toMatchObject(error ? { code: -32000 } : { value: LARGE });
			}
		}
		// It is sent again where it may be lost, and yet comes once.
		const ends = client.messages.flatMap(({ id, method }) => (method === undefined && id !== 'init' ? [id] : []));
		expect(ends.toSorted()).toEqual(range(1, 21).toSorted());
	});
});

test('calls end that are made while Redis kills the connections of all subscribers', async () => {
	const redis = cluster.redis.client();
	const session = await WireSession.open(cluster.at('A'));
	await session.result(cluster.at('A'), 'state_set', { key: 'k', value: LARGE });
	for (let round = 0; round < 20; round++) {
		const killed = redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
		const calls = letters.map((letter) => session.call(cluster.at(letter), 'log_many', { count: 3 }));
		const large = range(1, 4).map(() => session.call(cluster.at('A'), 'state_get', { key: 'k' }));
		for (const calling of large) {
			const call = await calling;
			if (call.status !== 503) expect(structured(await call.answer())).toMatchObject({ value: LARGE });
		}
		for (const calling of calls) {
			const call = await calling;
			// Refused is an end, too.
			if (call.status === 503) continue;
			expect(structured(await call.answer())).toMatchObject({ count: 3 });
			await call.ended();
			const said = numbers(call);
			expect(said).toEqual([...new Set(said)].toSorted());
		}
		await killed;
	}
});

describe('where a node has lost its way to Redis', () => {
	/** One more node, behind a proxy. */
	async function startCutOff() {
		const proxy = await TcpProxy.to(cluster.redis.port);
		const node = await startNode({ url: `redis://127.0.0.1:${proxy.port}` }, ['--response-mode', 'sse']);
		onTestFinished(async () => {
			await node.kill();
			await proxy.dispose();
		});
		return { node, proxy };
	}

	test('every call that it had accepted ends, whenever that happened', async () => {
		const { node, proxy } = await startCutOff();
		const session = await WireSession.open(node);
		const ended: number[] = [];
		for (let round = 0; round < 15; round++) {
			const calls = range(1, 6).map(async (n) => {
				const call = await session.call(node, 'sleep', { ms: n * 5 });
				if (call.status === 503) return;
				const { id, result, error } = await call.answer();
				expect(result ?? error).toBeDefined();
				await call.ended();
				ended.push(Number(id));
			});
			proxy.drop();
			await Promise.all(calls);
			await expect.poll(() => session.ping(node)).toBe(200);
		}
		expect(new Set(ended).size).toBe(ended.length);
	});

	test('an answer for it is refused on another with 503, and reaches it once the way is free', async () => {
		const { node, proxy } = await startCutOff();
		const session = await WireSession.open(cluster.at('A'), everyCapability);
		const call = await session.call(node, 'ask', { message: 'Well?' });
		const question = await call.find(({ method }) => method === 'elicitation/create');
		proxy.stall();
		const answer = () => session.answer(cluster.at('B'), question, { action: 'decline' });
		expect((await answer()).status).toBe(503);
		proxy.flow();
		// What the first attempt has left on its way may arrive before the second: then nobody waits any more.
		await expect.poll(async () => (await answer()).status).not.toBe(503);
		expect(structured(await call.answer())).toMatchObject({ action: 'decline' });
	});
});

test('whoever resumes a call of a node that hangs gets an error within 15 seconds', { timeout: 60_000 }, async () => {
	const session = await WireSession.open(cluster.at('B'));
	const call = await session.call(cluster.at('A'), 'log_many', { count: 100_000, intervalMs: 20 });
	await call.message(2);
	cluster.at('A').pause();
	call.drop();
	const resumed = await Promise.all(
		(['B', 'C'] as const).map((letter) => session.stream(cluster.at(letter), call.lastEventId)),
	);
	// The newest of them has the stream.
	const ends = await Promise.all(resumed.map((stream) => errorOf(stream)));
	expect(ends.filter((end) => end !== undefined)).toHaveLength(1);
	const last = resumed.findLast((stream) => stream.messages.some(({ message }) => message.error));
	cluster.at('A').resume();
	// It wakes, and its call is over all the same.
	expect((await session.stream(cluster.at('A'), last?.lastEventId)).status).toBe(405);
});

test('a node that is stopped ends its calls with an error before it closes their connections', async () => {
	const session = await WireSession.open(cluster.at('B'), everyCapability);
	const id = session.nextId();
	const call = await session.call(cluster.at('A'), 'ask', { message: 'Well?' }, id);
	await call.find(({ method }) => method === 'elicitation/create');
	await cluster.at('A').stop();
	expect(await call.answer()).toMatchObject({ id, error: { code: -32000 } });
	await call.ended();
	expect(call.broken).toBe(false);
});

/** The error with which a stream ends; `undefined` where it ends without. */
async function errorOf(stream: WireResponse): Promise<unknown> {
	stream.deadlineMs = NOBODY_WAITS_MS;
	await stream.ended();
	return stream.messages.find(({ message }) => message.error !== undefined)?.message.error;
}
