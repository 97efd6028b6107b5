import { describe, expect, it } from 'vitest';
import type { Loose, Received, WireResponse } from '../../../../test/support/clients/wire-response.ts';
import { doors } from '../../../../test/support/doors.ts';
import { initializeMessage, Rig, TestClient, textOf } from '../../../../test/support/rig.ts';
import { type Sdk, sdks, type Tool } from '../../../../test/support/servers.ts';
import { Steps } from '../../../../test/support/steps.ts';

const form = { message: 'a?', requestedSchema: { type: 'object', properties: { a: { type: 'string' } } } };
const uri = 'file:///report';

/** What passes from one step of the conversation to the next. */
interface Talk {
	readonly rig: Rig;
	readonly steps: Steps;
	client: TestClient;
	session: WireResponse;
	stream: WireResponse;
	question: Received;
}

const tools: Record<string, Tool> = {
	ask: async ({ here }) => JSON.stringify(await here.elicit(form)),
	askOutside: async ({ outside }) => JSON.stringify(await outside.elicit(form)),
	visit: async ({ session }) => String(await session.state.increment('visits')),
	shout: async ({ here }) => {
		await here.log('info', 'muted');
		await here.log('error', 'heard');
		return 'shouted';
	},
};

/** A long conversation. Each step answers what a client sees of it, but for ids. */
const conversation: readonly (readonly [name: string, step: (talk: Talk) => Promise<unknown>])[] = [
	[
		'initialize',
		async (talk) => {
			const answer = await talk.rig.initialize({ capabilities: { elicitation: {} } });
			const { result } = await answer.json();
			talk.client = new TestClient(
				talk.rig,
				answer.headers.get('mcp-session-id') ?? '',
				result.protocolVersion,
				result,
			);
			return result;
		},
	],
	['notifications/initialized', async ({ client }) => (await client.notify('notifications/initialized')).status],
	[
		'tools/list',
		async ({ client }) =>
			(await (await client.request('tools/list')).json()).result.tools.map(({ name }: Loose) => name),
	],
	[
		'the session stream',
		async (talk) => {
			talk.session = await talk.client.get();
			return (await talk.session.event(0)).data;
		},
	],
	['a call', ({ client }) => client.ask('echo', { text: 'hi' })],
	['state', ({ client }) => client.ask('visit')],
	['subscribe', async ({ client }) => (await (await client.request('resources/subscribe', { uri })).json()).result],
	[
		'an update',
		async ({ rig, session }) => {
			await rig.transport.notify.resourceUpdated(uri);
			return session.message(0);
		},
	],
	[
		'setLevel',
		async ({ client }) => (await (await client.request('logging/setLevel', { level: 'error' })).json()).result,
	],
	[
		'log lines',
		async ({ client }) => {
			const stream = await client.call('shout');
			await stream.ended();
			return stream.messages.map(({ message }) => message.params?.data ?? textOf(message));
		},
	],
	[
		'a question on the stream of a call',
		async (talk) => {
			talk.stream = await talk.client.call('ask');
			talk.question = await talk.stream.message(0);
			return talk.question.params.message;
		},
	],
	[
		'its response',
		async ({ client, question, stream }) => {
			const { status } = await client.reply(question.id, { action: 'accept', content: { a: 'x' } });
			return [status, textOf(await stream.answer())];
		},
	],
	[
		'a question on the session stream',
		async ({ client, session }) => {
			const pending = client.call('askOutside');
			const question = await session.message(1);
			await client.reply(question.id, { action: 'decline' });
			return textOf(await (await pending).answer());
		},
	],
	[
		'a call whose connection breaks',
		async (talk) => {
			const pending = talk.client.call('count');
			await talk.steps.take();
			talk.stream = await pending;
			const first = await talk.stream.message(0);
			talk.stream.drop();
			await talk.steps.take();
			return first.params.data;
		},
	],
	[
		'the rest of it',
		async ({ client, stream, steps }) => {
			const rest = await client.get(stream.lastEventId);
			steps.finish();
			await rest.ended();
			return rest.messages.map(({ message }) => message.params?.data ?? textOf(message));
		},
	],
	[
		'the session stream, resumed',
		async (talk) => {
			talk.session.drop();
			await talk.rig.transport.notify.resourceUpdated(uri);
			talk.session = await talk.client.get(talk.session.lastEventId);
			return talk.session.message(0);
		},
	],
	['state again', ({ client }) => client.ask('visit')],
	['unsubscribe', async ({ client }) => (await (await client.request('resources/unsubscribe', { uri })).json()).result],
	[
		'no update',
		async ({ rig, session }) => {
			await rig.transport.notify.resourceUpdated(uri);
			await rig.transport.notify.toolsChanged();
			return (await session.message(1)).method;
		},
	],
	[
		'DELETE',
		async ({ client, session }) => {
			const { status } = await client.delete();
			await session.ended();
			return status;
		},
	],
	['a late request', async ({ client }) => (await client.request('ping')).status],
];

/** Runs the conversation; `between` comes before the step of the given number. */
async function hold(
	door: (typeof doors)[number],
	sdk: Sdk,
	between: (index: number, talk: Talk) => Promise<void>,
): Promise<unknown[]> {
	const steps = new Steps();
	const rig = await Rig.open(door, { sdk, tools: { ...tools, count: steps.tool } });
	const talk = { rig, steps } as Talk;
	const seen: unknown[] = [];
	for (const [index, [, step]] of conversation.entries()) {
		await between(index, talk);
		seen.push(await step(talk));
	}
	expect(rig.errors).toEqual([]);
	return seen;
}

describe.each(doors)('a conversation, through $name', (door) => {
	describe.each(sdks)('with a $name', (sdk) => {
		let undisturbed: unknown[];

		it('goes as it should', async () => {
			undisturbed = await hold(door, sdk, async () => {});
			expect(undisturbed).toMatchObject([
				{ protocolVersion: initializeMessage().params.protocolVersion },
				202,
				['echo', 'log', 'ask', 'askOutside', 'visit', 'shout', 'count'],
				'',
				'hi',
				'1',
				{},
				{ method: 'notifications/resources/updated', params: { uri } },
				{},
				['heard', 'shouted'],
				'a?',
				[202, '{"action":"accept","content":{"a":"x"}}'],
				'{"action":"decline"}',
				{ n: 1 },
				[{ n: 2 }, 'counted to 2'],
				{ method: 'notifications/resources/updated', params: { uri } },
				'2',
				{},
				'notifications/tools/list_changed',
				200,
				404,
			]);
		});

		it.each(conversation.map(([name], index) => [name, index] as const).slice(1))(
			'is the same when the live server is dropped before %s',
			async (_, dropAt) => {
				const seen = await hold(door, sdk, async (index, { rig, client }) => {
					if (index === dropAt) await rig.transport.release(client.id);
				});
				expect(seen).toEqual(undisturbed);
			},
		);

		it('is the same when the live server is dropped before every step', async () => {
			let made = 0;
			const seen = await hold(door, sdk, async (index, { rig, client }) => {
				if (index > 0) await rig.transport.release(client.id);
				made = rig.made.length;
			});
			expect(seen).toEqual(undisturbed);
			// What runs or waits cannot be dropped; everything else was made again.
			expect(made).toBeGreaterThan(8);
		});
	});
});
