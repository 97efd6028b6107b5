import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { doors } from '../../../test/support/doors.ts';
import { openSseNodes } from './support/sse-nodes.ts';
import { SseRig } from './support/sse-rig.ts';

const ping = { jsonrpc: '2.0', id: 'p', method: 'ping' };

describe.each(doors)('ids of sessions, through $name,', (door) => {
	it('may be made by the server itself, of any visible characters, and are written so that every URL carries them', async () => {
		let made = 0;
		const odd = '!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~';
		const { a, b } = await openSseNodes(door, { getSessionId: () => `${odd}${++made}` });
		const clients = [await a.session(), await a.session()];
		expect(clients.map(({ id }) => id)).toEqual([`${odd}1`, `${odd}2`]);
		for (const client of clients) {
			expect(client.endpoint).toMatch(/^\/messages\?sessionId=[\w%'()*.!~-]+$/);
			const elsewhere = client.at(b);
			expect((await elsewhere.answerTo(await elsewhere.call('echo', { text: 'x' }))).result).toBeDefined();
		}
		expect(a.made.map(({ id }) => id)).toEqual(clients.map(({ id }) => id));
	});

	it.each(['short', 'with a space', 'x'.repeat(257), 'größer als sonst'])(
		'that are none are an error of the server, and open nothing: %s',
		async (id) => {
			const rig = await SseRig.open(door, { getSessionId: () => id });
			expect((await rig.get()).status).toBe(500);
			expect(rig.transport.stats()).toMatchObject({ sessions: 0, connections: 0 });
			expect(rig.errors).toMatchObject([{ message: expect.stringContaining('getSessionId') }]);
		},
	);

	it('are stored hashed where that is wanted: what is stored is of no use to anybody', async () => {
		const { a, b, info } = await openSseNodes(door, {
			hashSessionIds: true,
			tools: {
				async end({ session }) {
					await session.terminate('enough');
					return 'ended';
				},
			},
		});
		const client = await a.session();
		const hash = createHash('sha256').update(client.id).digest('base64url');
		expect(info.read(client.id)).toBeUndefined();
		expect(info.read(hash)).toMatchObject({ id: hash, transport: 'sse' });
		expect(a.made).toMatchObject([{ id: hash }]);

		const onB = client.at(b);
		expect((await onB.answerTo(await onB.call('log', { count: 2 }))).result.content[0].text).toBe('logged');
		expect(client.messages.filter(({ method }) => method === 'notifications/message')).toHaveLength(2);
		expect(client.stream.received).not.toContain(hash);
		for (const node of [a, b]) expect((await node.post(`/messages?sessionId=${hash}`, ping)).status).toBe(404);

		await a.advance(3_600_000);
		expect(client.stream.over).toBe(false);
		expect((await onB.answerTo(await onB.call('end'))).result.content[0].text).toBe('ended');
		a.clock.advance(100);
		await client.stream.ended();
		expect((await client.post(ping)).status).toBe(404);
	});
});
