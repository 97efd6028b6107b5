import { describe, expect, test } from 'vitest';
import type { WireResponse } from '../../../../test/support/clients/wire-response.ts';
import { letters, useCluster } from './support/cluster.ts';
import { everyCapability, structured, WireSession } from './support/wire-session.ts';

const cluster = useCluster();

/** What tools ask, and what a client answers. */
const questions = [
	{
		tool: 'ask',
		args: { message: 'Which colour?' },
		method: 'elicitation/create',
		answer: { action: 'accept', content: { answer: 'blue' } },
		told: { action: 'accept', content: { answer: 'blue' } },
	},
	{
		tool: 'ask_url',
		args: { message: 'Sign in', url: 'https://example.com/login' },
		method: 'elicitation/create',
		answer: { action: 'accept' },
		told: { action: 'accept' },
	},
	{
		tool: 'sample',
		args: { prompt: 'Hello' },
		method: 'sampling/createMessage',
		answer: { role: 'assistant', model: 'parrot', content: { type: 'text', text: 'Hello yourself' } },
		told: { model: 'parrot', content: { type: 'text', text: 'Hello yourself' } },
	},
	{
		tool: 'list_roots',
		args: {},
		method: 'roots/list',
		answer: { roots: [{ uri: 'file:///home', name: 'home' }] },
		told: { roots: [{ uri: 'file:///home', name: 'home' }] },
	},
];

/**
 * On which stream a question goes, on which node the tool runs, the response arrives, and the session stream is held.
 */
const ways = ['call', 'session'].flatMap((stream) =>
	(
		[
			['A', 'B', 'C'],
			['B', 'A', 'C'],
			['C', 'B', 'A'],
			['A', 'A', 'A'],
		] as const
	).map(([runs, answered, held]) => ({ stream, runs, answered, held })),
);

describe.each(questions)('what $tool asks', ({ tool, args, method, answer, told }) => {
	test.each(ways)(
		'on $runs, on the stream of the $stream, is answered by a POST to $answered, with the session stream on $held',
		async ({ stream, runs, answered, held }) => {
			const session = await WireSession.open(cluster.at(answered), everyCapability);
			const { nodeId } = await session.info(cluster.at(runs));
			const sessionStream = await session.open(cluster.at(held));
			const { call, asked } = await ask(session, sessionStream, { tool, args, stream, runs });
			const question = await asked.find(({ method: name }) => name === method);
			expect((await session.answer(cluster.at(answered), question, answer)).status).toBe(202);
			expect(structured(await (await call).answer())).toMatchObject({ ...told, nodeId });
			// It was asked once, and on one stream.
			const other = asked === sessionStream ? await call : sessionStream;
			expect(asked.messages.filter(({ message }) => message.method === method)).toHaveLength(1);
			expect(other.messages.filter(({ message }) => message.method === method)).toHaveLength(0);
		},
	);
});

test('a question waits for a client that lost its stream, and is answered from where that resumes', async () => {
	const session = await WireSession.open(cluster.node(0), everyCapability);
	const first = await session.call(cluster.node(0), 'ask', { message: 'Well?' });
	await first.event(0);
	first.drop();
	const resumed = await session.open(cluster.node(1), first.blocks[0]?.id);
	const question = await resumed.find(({ method }) => method === 'elicitation/create');
	resumed.drop();
	await session.answer(cluster.node(2), question, { action: 'decline' });
	const last = await session.open(cluster.node(2), resumed.lastEventId);
	expect(structured(await last.answer())).toMatchObject({ action: 'decline' });
});

test('an error that a client answers with reaches the tool on the other node', async () => {
	const session = await WireSession.open(cluster.node(0), everyCapability);
	const call = await session.call(cluster.node(0), 'ask', { message: 'Well?' });
	const { id } = await call.find(({ method }) => method === 'elicitation/create');
	await session.post(cluster.node(1), { id, error: { code: -1, message: 'The user is out.' } });
	expect((await call.answer()).result).toMatchObject({ isError: true, content: [{ text: /The user is out/ }] });
});

test('a response is taken once: a second one is accepted on whichever node, and comes to nothing', async () => {
	const session = await WireSession.open(cluster.node(0), everyCapability);
	const call = await session.call(cluster.node(0), 'ask', { message: 'Well?' });
	const question = await call.find(({ method }) => method === 'elicitation/create');
	await session.answer(cluster.node(1), question, { action: 'decline' });
	await call.ended();
	expect((await session.answer(cluster.node(0), question, { action: 'cancel' })).status).toBe(202);
	expect(structured(await call.answer())).toMatchObject({ action: 'decline' });
});

test.each(letters)("the client's progress, sent to %s, reaches the node that asked", async (letter) => {
	const session = await WireSession.open(cluster.node(0), everyCapability);
	const call = await session.call(cluster.node(0), 'sample', { prompt: 'Think.' });
	const question = await call.find(({ method }) => method === 'sampling/createMessage');
	const { progressToken } = question.params._meta;
	for (const progress of [1, 2, 3]) {
		const params = { progressToken, progress, total: 3 };
		const { status } = await session.post(cluster.at(letter), { method: 'notifications/progress', params });
		expect(status).toBe(202);
	}
	const result = { role: 'assistant', model: 'm', content: { type: 'text', text: 'done' } };
	await session.answer(cluster.at(letter), question, result);
	expect(structured(await call.answer())).toMatchObject({ progress: [1, 2, 3] });
});

test('requests to one client have ids of their own, however many nodes ask at once', async () => {
	const session = await WireSession.open(cluster.node(0), everyCapability);
	const calls = await Promise.all(
		Array.from({ length: 30 }, (_, index) => session.call(cluster.node(index), 'ask', { message: `Number ${index}?` })),
	);
	const asked = await Promise.all(calls.map((call) => call.find(({ method }) => method === 'elicitation/create')));
	expect(new Set(asked.map(({ id }) => id)).size).toBe(30);
	// Each is answered on the next node, and every call gets the response to its own question.
	await Promise.all(
		asked.map((question, index) =>
			session.answer(cluster.node(index + 1), question, { action: 'accept', content: { answer: `${index}` } }),
		),
	);
	const told = await Promise.all(calls.map(async (call) => structured(await call.answer()).content.answer));
	expect(told).toEqual(asked.map((_, index) => `${index}`));
});

interface Asking {
	readonly tool: string;
	readonly args: object;
	readonly stream: string;
	readonly runs: (typeof letters)[number];
}

/** Calls a tool that asks. A call that asks on the session stream says nothing on its own until it is answered. */
async function ask(
	session: WireSession,
	sessionStream: WireResponse,
	{ tool, args, stream, runs }: Asking,
): Promise<{ readonly call: Promise<WireResponse>; readonly asked: WireResponse }> {
	const call = session.call(cluster.at(runs), tool, { ...args, stream });
	return { call, asked: stream === 'call' ? await call : sessionStream };
}
