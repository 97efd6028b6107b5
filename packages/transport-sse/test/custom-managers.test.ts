import { ManualClock } from '@holdfast/session-manager/testing';
import { describe, expect, it } from 'vitest';
import {
	AsynchronousInfo,
	LateResumableStreams,
	LateStreams,
	NaiveStreams,
} from '../../../test/support/custom-managers.ts';
import { doors } from '../../../test/support/doors.ts';
import { eventually } from '../../../test/support/eventually.ts';
import { SseRig } from './support/sse-rig.ts';

const managers = [
	{ name: 'four verbs', make: () => new NaiveStreams() },
	{ name: 'four verbs that take their time', make: () => new LateStreams() },
	{ name: 'a store that takes its time', make: () => new LateResumableStreams() },
];
const form = { message: 'Name?', requestedSchema: { type: 'object', properties: { name: { type: 'string' } } } };

describe.each(managers)('on a manager of $name', ({ make }) => {
	describe.each(doors)('through $name', (door) => {
		it('a session works, and ends with its stream', async () => {
			const clock = new ManualClock(1_000_000);
			const [streams, info] = [make(), new AsynchronousInfo(clock)];
			const rig = await SseRig.open(door, {
				clock,
				sessionManager: { streams, info },
				tools: { ask: async ({ outside }) => (await outside.elicit(form)).content.name },
			});
			const [client, other] = [await rig.session({ capabilities: { elicitation: {} } }), await rig.session()];
			expect(await client.ask('log', { count: 3 })).toBe('logged');
			const id = await client.call('ask');
			const question = await client.find(({ method }) => method === 'elicitation/create');
			expect((await client.reply(question.id, { action: 'accept', content: { name: 'Ada' } })).status).toBe(202);
			expect((await client.answerTo(id)).result.content[0].text).toBe('Ada');
			await rig.transport.notify.toolsChanged();
			for (const { messages, find } of [client, other].map((one) => ({
				messages: one.messages,
				find: () => one.find(({ method }) => method === 'notifications/tools/list_changed'),
			}))) {
				await find();
				expect(messages.filter(({ method }) => method === 'notifications/tools/list_changed').length).toBeLessThan(2);
			}
			client.stream.drop();
			await eventually(() => rig.transport.stats().connections).toBe(1);
			await rig.advance(60_000);
			await eventually(() => rig.transport.stats()).toMatchObject({ sessions: 1, requestsInFlight: 0 });
			expect((await client.notify('notifications/x')).status).toBe(404);
			expect(await other.ask('echo', { text: 'x' })).toBe('x');
			await rig.advance(1_000);
			await eventually(() => streams.has(client.id)).toBe(false);
			expect(rig.errors).toEqual([]);
		});

		it('clients that leave at once leave nothing behind', async () => {
			const clock = new ManualClock(1_000_000);
			const [streams, info] = [make(), new AsynchronousInfo(clock)];
			const rig = await SseRig.open(door, { clock, sessionManager: { streams, info } });
			const opened = await Promise.all(Array.from({ length: 20 }, () => rig.get()));
			for (const stream of opened) stream.drop();
			await eventually(() => rig.transport.stats().connections).toBe(0);
			await rig.advance(60_000);
			await eventually(() => rig.transport.stats()).toMatchObject({ sessions: 0, connections: 0 });
			await eventually(() => info.memory.stats().sessions).toBe(0);
			expect(rig.errors).toEqual([]);
		});
	});
});
