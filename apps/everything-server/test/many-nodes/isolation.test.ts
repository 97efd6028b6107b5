import { describe, expect, test } from 'vitest';
import type { Received, WireResponse } from '../../../../test/support/clients/wire-response.ts';
import { letters, useCluster } from './support/cluster.ts';
import { everyCapability, numbers, range, structured, WireSession } from './support/wire-session.ts';

const cluster = useCluster();

describe.each(letters)('from %s, a session cannot reach a victim on A:', (letter) => {
	const index = letters.indexOf(letter);

	test('it cannot answer what the victim is asked, neither by its id nor by a guessed one', async () => {
		const { victim, call, question } = await askedVictim();
		const attacker = await WireSession.open(cluster.node(index), everyCapability);
		const theirs = await attacker.call(cluster.node(0), 'ask', { message: 'Mine?' });
		const own = await theirs.find(isQuestion);
		const accept = { action: 'accept', content: { answer: 'stolen' } };
		for (const id of [question.id, ...guessesFrom(question.id)]) {
			if (id !== own.id) expect(refused(await attacker.answer(cluster.node(index), { id }, accept))).toBe(true);
		}
		for (const id of [own.id, ...guessesFrom(question.id)]) {
			if (id !== question.id) expect(refused(await victim.answer(cluster.node(index), { id }, accept))).toBe(true);
		}
		await victim.answer(cluster.node(1), question, { action: 'decline' });
		await attacker.answer(cluster.node(1), own, { action: 'cancel' });
		expect(structured(await call.answer())).toMatchObject({ action: 'decline' });
		expect(structured(await theirs.answer())).toMatchObject({ action: 'cancel' });
	});

	test("it cannot report progress of the victim's answer", async () => {
		const victim = await WireSession.open(cluster.node(0), everyCapability);
		const attacker = await WireSession.open(cluster.node(index), everyCapability);
		const call = await victim.call(cluster.node(0), 'sample', { prompt: 'Think.' });
		const question = await call.find(({ method }) => method === 'sampling/createMessage');
		const params = { progressToken: question.params._meta.progressToken, progress: 99 };
		await attacker.post(cluster.node(index), { method: 'notifications/progress', params });
		await attacker.post(cluster.node(0), { method: 'notifications/progress', params });
		await victim.answer(cluster.node(1), question, {
			role: 'assistant',
			model: 'm',
			content: { type: 'text', text: 'done' },
		});
		expect(structured(await call.answer())).toMatchObject({ progress: [] });
	});

	test("it cannot cancel the victim's call, not even by the id that both use", async () => {
		const id = 'the-same-id';
		const victim = await WireSession.open(cluster.node(0));
		const attacker = await WireSession.open(cluster.node(index));
		const params = { name: 'log_many', arguments: { count: 60, intervalMs: 5 } };
		const call = await victim.post(cluster.node(0), { id, method: 'tools/call', params });
		const own = await attacker.post(cluster.node(0), { id, method: 'tools/call', params });
		await call.message(0);
		for (const to of [index, 0]) {
			await attacker.post(cluster.node(to), { method: 'notifications/cancelled', params: { requestId: id } });
		}
		await own.ended();
		expect(numbers(own).length).toBeLessThan(60);
		expect(structured(await call.answer())).toMatchObject({ count: 60 });
		expect(numbers(call)).toEqual(range(1, 60));
	});

	test("it cannot resume the victim's session stream, nor take it over", async () => {
		const victim = await WireSession.open(cluster.node(0));
		const attacker = await WireSession.open(cluster.node(index));
		const stream = await victim.open(cluster.node(1));
		await victim.result(cluster.node(0), 'log_session', { count: 3 });
		await stream.message(2);
		const stolen = await attacker.open(cluster.node(index), stream.blocks[0]?.id);
		await victim.result(cluster.node(0), 'log_session', { count: 2 });
		await attacker.result(cluster.node(0), 'log_session', { count: 1 });
		await stolen.find(isLog);
		expect(numbers(stolen)).toEqual([1]);
		await stream.message(4);
		expect(stream.over).toBe(false);
	});

	test("it cannot resume the stream of the victim's call, and is told so", async () => {
		const victim = await WireSession.open(cluster.node(0));
		const attacker = await WireSession.open(cluster.node(index));
		const call = await victim.call(cluster.node(0), 'log_many', { count: 100, intervalMs: 10 });
		await call.message(1);
		expect((await attacker.stream(cluster.node(index), call.blocks[0]?.id)).status).toBe(400);
		expect(structured(await call.answer())).toMatchObject({ count: 100 });
		expect(numbers(call)).toEqual(range(1, 100));
	});

	test('it ends nothing but itself', async () => {
		const victim = await WireSession.open(cluster.node(0));
		const attacker = await WireSession.open(cluster.node(index));
		const stream = await victim.open(cluster.node(1));
		const call = await victim.call(cluster.node(2), 'log_many', { count: 20, intervalMs: 5 });
		await attacker.result(cluster.node(index), 'end_session');
		expect((await attacker.end(cluster.node(index))).status).toBe(404);
		expect(structured(await call.answer())).toMatchObject({ count: 20 });
		await victim.result(cluster.node(index), 'log_session', { count: 1 });
		await stream.message(0);
		expect(stream.over).toBe(false);
	});
});

describe('an id that is no session is unknown to every node, with every verb:', () => {
	test.each([
		['one that was never issued', () => 'A'.repeat(32)],
		['one that differs in one letter', (id: string) => `${id.slice(0, -1)}${id.endsWith('A') ? 'B' : 'A'}`],
		['the beginning of one', (id: string) => id.slice(0, -1)],
		['the name of something in the store', () => 'broadcast'],
		['the address of every node', () => '*'],
		['what closes a tag in a key', (id: string) => `}${id}`],
	])('%s', async (_, forge) => {
		const session = await WireSession.open(cluster.node(0));
		const stream = await session.open(cluster.node(0));
		await refusedEverywhere(new WireSession(forge(session.id)), stream.lastEventId);
		expect(stream.over).toBe(false);
	});

	test.each(letters)('one that ended on %s', async (letter) => {
		const session = await WireSession.open(cluster.node(0));
		const stream = await session.open(cluster.node(1));
		const call = await session.call(cluster.node(2), 'log_many', { count: 1_000, intervalMs: 5 });
		await call.message(0);
		await session.end(cluster.at(letter));
		await Promise.all([stream.ended(), call.ended()]);
		await refusedEverywhere(session, stream.lastEventId, call.lastEventId);
	});
});

/** Every verb is answered with 404 on every node. */
async function refusedEverywhere(session: WireSession, ...eventIds: (string | undefined)[]): Promise<void> {
	for (const node of cluster.nodes) {
		const answers = await Promise.all([
			session.request(node, 'ping'),
			session.call(node, 'session_info'),
			session.post(node, { method: 'notifications/cancelled', params: { requestId: 1 } }),
			session.post(node, { id: 'x:1', result: {} }),
			session.stream(node),
			...eventIds.map((id) => session.stream(node, id)),
			session.end(node),
		]);
		expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 404));
	}
}

/** A victim that is asked something by a call on node 0. */
async function askedVictim(): Promise<{ victim: WireSession; call: WireResponse; question: Received }> {
	const victim = await WireSession.open(cluster.node(0), everyCapability);
	const call = await victim.call(cluster.node(0), 'ask', { message: 'Yours?' });
	return { victim, call, question: await call.find(isQuestion) };
}

/**
 * Whether a response was refused. One that had to be passed on to another node is refused there, where nobody waits for
 * it.
 */
function refused({ status }: WireResponse): boolean {
	return status === 400 || status === 202;
}

/** Ids that one would guess from `id`: the ones before and after it, and its parts. */
function guessesFrom(id: Received['id']): (string | number)[] {
	const [node = '', count = ''] = String(id).split(':');
	const near = [1, 50, 500].map((step) => `${node}:${(Number.parseInt(count, 36) + step).toString(36)}`);
	return [...near, `${node}:`, `:${count}`, count, 0, 1, 2, `${node}:${count}:`, ` ${id}`];
}

function isQuestion({ method }: Received): boolean {
	return method === 'elicitation/create';
}

function isLog({ method }: Received): boolean {
	return method === 'notifications/message';
}
