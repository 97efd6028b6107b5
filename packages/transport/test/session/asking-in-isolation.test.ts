import { describe, expect, it } from 'vitest';
import type { Received, WireResponse } from '../../../../test/support/clients/wire-response.ts';
import { type Door, doors } from '../../../../test/support/doors.ts';
import { Rig, type TestClient, textOf } from '../../../../test/support/rig.ts';
import { type Sdk, sdks } from '../../../../test/support/servers.ts';

const capabilities = { elicitation: {} };
const form = { message: 'a?', requestedSchema: { type: 'object', properties: { a: { type: 'string' } } } };
const yes = (a: string) => ({ action: 'accept', content: { a } });

interface Asked {
	readonly client: TestClient;
	readonly stream: WireResponse;
	readonly question: Received;
}

function open(door: Door, sdk?: Sdk): Promise<Rig> {
	return Rig.open(door, {
		...(sdk && { sdk }),
		tools: {
			ask: async ({ here }) => JSON.stringify((await here.elicit(form)).content),
			askWithProgress: async ({ here }) => {
				const heard: unknown[] = [];
				await here.elicit(form, { onprogress: ({ progress }) => heard.push(progress) });
				return JSON.stringify(heard);
			},
		},
	});
}

async function ask(client: TestClient, tool = 'ask'): Promise<Asked> {
	const stream = await client.call(tool);
	return { client, stream, question: await stream.message(0) };
}

describe.each(doors)('questions in isolation, through $name', (door) => {
	it.each(sdks)('have ids that no two of them share, over all sessions and servers ($name)', async (sdk) => {
		const asked: Asked[] = [];
		for (let server = 0; server < 2; server++) {
			const rig = await open(door, sdk);
			for (let session = 0; session < 2; session++) {
				const client = await rig.session({ capabilities });
				for (let question = 0; question < 3; question++) asked.push(await ask(client));
			}
		}
		const ids = asked.map(({ question }) => question.id);
		expect(new Set(ids).size).toBe(12);
		// The numbers of the SDKs begin anew in each server.
		for (const id of ids) expect(Number.isNaN(Number(id))).toBe(true);
	});

	it('have new ids after the live server was made again', async () => {
		const rig = await open(door);
		const client = await rig.session({ capabilities });
		const ids: unknown[] = [];
		for (let round = 0; round < 3; round++) {
			const { stream, question } = await ask(client);
			await client.reply(question.id, yes('x'));
			await stream.ended();
			ids.push(question.id);
			expect(await rig.transport.release(client.id)).toBe(true);
		}
		expect(new Set(ids).size).toBe(3);
	});

	it('cannot be answered from another session: the asker goes on waiting', async () => {
		const rig = await open(door);
		const [victim, thief] = [await rig.session({ capabilities }), await rig.session({ capabilities })];
		const { stream, question } = await ask(victim);
		const stolen = await thief.reply(question.id, yes('stolen'));
		expect([stolen.status, await stolen.text()]).toEqual([202, '']);
		expect((await thief.refuse(question.id, -1, 'spoiled')).status).toBe(202);
		await victim.reply(question.id, yes('own'));
		expect(textOf(await stream.answer())).toBe('{"a":"own"}');
	});

	it('cannot be answered from another session that asks, too', async () => {
		const rig = await open(door);
		const [a, b] = [await ask(await rig.session({ capabilities })), await ask(await rig.session({ capabilities }))];
		expect((await b.client.reply(a.question.id, yes('crossed'))).status).toBe(202);
		await a.client.reply(a.question.id, yes('a'));
		await b.client.reply(b.question.id, yes('b'));
		expect([textOf(await a.stream.answer()), textOf(await b.stream.answer())]).toEqual(['{"a":"a"}', '{"a":"b"}']);
	});

	it('cannot be sent progress from another session', async () => {
		const rig = await open(door);
		const [victim, thief] = [await rig.session({ capabilities }), await rig.session({ capabilities })];
		const { stream, question } = await ask(victim, 'askWithProgress');
		const { progressToken } = question.params._meta;
		await thief.notify('notifications/progress', { progressToken, progress: 666 });
		await victim.notify('notifications/progress', { progressToken, progress: 1 });
		await victim.reply(question.id, yes('x'));
		expect(textOf(await stream.answer())).toBe('[1]');
	});

	it('are answered once: a second response is taken, and changes nothing', async () => {
		const rig = await open(door);
		const client = await rig.session({ capabilities });
		const { stream, question } = await ask(client);
		expect((await client.reply(question.id, yes('first'))).status).toBe(202);
		expect((await client.reply(question.id, yes('second'))).status).toBe(202);
		expect(textOf(await stream.answer())).toBe('{"a":"first"}');
	});

	it('that nobody asked cannot be answered: what is sent all the same is taken, and goes nowhere', async () => {
		const rig = await open(door);
		const client = await rig.session({ capabilities });
		const { stream, question } = await ask(client);
		for (const id of [0, 1, 2, '0', 'x', '', `${question.id}0`, String(question.id).split(':')[0], `x${question.id}`]) {
			const answer = await client.reply(id, yes('guessed'));
			expect([id, answer.status]).toEqual([id, 202]);
		}
		await client.reply(question.id, yes('own'));
		expect(textOf(await stream.answer())).toBe('{"a":"own"}');
	});

	it('have ids apart from those of the client: both may be in use at once', async () => {
		const rig = await open(door);
		const client = await rig.session({ capabilities });
		const { stream, question } = await ask(client);
		const ping = await client.post({ jsonrpc: '2.0', id: question.id, method: 'ping' });
		expect(await ping.json()).toEqual({ jsonrpc: '2.0', id: question.id, result: {} });
		await client.reply(question.id, yes('own'));
		expect(textOf(await stream.answer())).toBe('{"a":"own"}');
	});

	it('many at once each get their own response, in whatever order', async () => {
		const rig = await open(door);
		const clients = await Promise.all(Array.from({ length: 5 }, () => rig.session({ capabilities })));
		const asked = await Promise.all(clients.flatMap((client) => Array.from({ length: 5 }, () => ask(client))));
		const shuffled = asked.toReversed().sort((a, b) => String(a.question.id).localeCompare(String(b.question.id)));
		await Promise.all(shuffled.map(({ client, question }) => client.reply(question.id, yes(`for ${question.id}`))));
		for (const { stream, question } of asked) {
			expect(textOf(await stream.answer())).toBe(JSON.stringify({ a: `for ${question.id}` }));
		}
		expect(rig.transport.stats()).toMatchObject({ requestsWaiting: 0, requestsInFlight: 0 });
	});
});
