import { InMemoryStreamSessionManager } from '@holdfast/session-manager';
import { describe, expect, it } from 'vitest';
import { doors } from '../../../../test/support/doors.ts';
import { Rig, textOf } from '../../../../test/support/rig.ts';

const maxMessageBytes = 10_000;

/** The JSON of a result that has exactly as many bytes as the limit, but for the text. */
const envelope = (id: number) =>
	JSON.stringify({ result: { content: [{ type: 'text', text: '' }] }, jsonrpc: '2.0', id });

describe.each(doors)('messages of a server, through $name', (door) => {
	/** A node that notes the longest event that reaches the store. */
	async function openRig(options = {}) {
		let longest = 0;
		class Streams extends InMemoryStreamSessionManager {
			override send(ids: readonly string[] | undefined, data: string): void {
				longest = Math.max(longest, data.length);
				super.send(ids, data);
			}
		}
		const rig = await Rig.open(door, {
			maxMessageBytes,
			sessionManager: { streams: new Streams() },
			tools: {
				say: ({ args }) => 'x'.repeat(args['length']),
				log: ({ args, here }) => here.log('info', 'x'.repeat(args['length'])).then(() => 'logged', String),
				ask: ({ args, here }) =>
					here
						.sample({ messages: [], maxTokens: args['length'], text: 'x'.repeat(args['length']) })
						.then(() => 'asked', String),
			},
			...options,
		});
		return { rig, longest: () => longest };
	}

	it.each(['auto', 'sse'] as const)(
		'are refused past the limit: the caller gets an error (%s)',
		async (responseMode) => {
			const { rig, longest } = await openRig({ responseMode });
			const client = await rig.session();
			const room = maxMessageBytes - envelope(client.lastRequestId + 1).length;
			expect((await client.ask('say', { length: room })).length).toBe(room);
			const answer = await (await client.call('say', { length: room + 1 })).answer();
			expect(answer).toMatchObject({ id: client.lastRequestId, error: { code: -32603 } });
			expect(answer.error?.message).toContain('10000 bytes');
			expect(rig.errors.map(({ message }) => message)).toEqual([
				'The message has 10001 bytes; maxMessageBytes allows 10000.',
			]);
			expect(longest()).toBeLessThan(maxMessageBytes + 100);
		},
	);

	it('that are notifications reject past the limit, and are reported', async () => {
		const { rig, longest } = await openRig();
		const client = await rig.session();
		expect(await client.ask('log', { length: maxMessageBytes })).toContain('maxMessageBytes allows 10000');
		expect(rig.errors).toHaveLength(1);
		expect(longest()).toBeLessThan(maxMessageBytes);
		expect(textOf(await (await client.call('log', { length: 10 })).answer())).toBe('logged');
	});

	it('that are requests reject past the limit, and nothing waits', async () => {
		const { rig, longest } = await openRig();
		const client = await rig.session({ capabilities: { sampling: {} } });
		expect(await client.ask('ask', { length: maxMessageBytes })).toContain('maxMessageBytes allows 10000');
		expect(rig.transport.stats().requestsWaiting).toBe(0);
		expect(longest()).toBeLessThan(maxMessageBytes);
	});

	it('have 16 MiB at most where no option says otherwise', async () => {
		const { rig } = await openRig({ maxMessageBytes: undefined });
		const client = await rig.session();
		const answer = await (await client.call('say', { length: 16 * 1024 * 1024 })).answer();
		expect(answer).toMatchObject({ id: client.lastRequestId, error: { code: -32603 } });
	});
});
