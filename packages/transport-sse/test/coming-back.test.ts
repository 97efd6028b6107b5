import { systemClock } from '@holdfast/session-manager/custom';
import { describe, expect, it } from 'vitest';
import { connectOfficial } from '../../../test/support/clients/official-client.ts';
import { doors, handleDoor } from '../../../test/support/doors.ts';
import { sdks } from '../../../test/support/servers.ts';
import { until } from '../../../test/support/until.ts';
import { openSseNodes } from './support/sse-nodes.ts';
import { SseRig } from './support/sse-rig.ts';

const call = (id: unknown) => ({
	jsonrpc: '2.0',
	id,
	method: 'tools/call',
	params: { name: 'log', arguments: { count: 2 } },
});
/** What the official clients send once they have negotiated a revision, and so when they come back. */
const negotiated = { 'mcp-protocol-version': '2025-06-18' };

describe.each(doors)(
	'a client that opens another stream and does not send initialize again, through $name,',
	(door) => {
		it.each(sdks)('is served from its first request on, without capabilities ($name)', async (sdk) => {
			const rig = await SseRig.open(door, { sdk });
			const client = await rig.open();
			expect((await client.post(call(7))).status).toBe(202);
			expect((await client.answerTo(7)).result.content[0].text).toBe('logged');
			expect(rig.made).toMatchObject([{ id: client.id, protocolVersion: '2024-11-05', clientCapabilities: {} }]);
			expect(client.messages.map(({ id, method }) => method ?? id)).toEqual([
				'notifications/message',
				'notifications/message',
				7,
			]);
			await rig.transport.notify.toolsChanged();
			await client.find(({ method }) => method === 'notifications/tools/list_changed');
			await rig.advance(60_000);
			expect(await client.ask('echo', { text: 'x' })).toBe('x');
			expect(rig.errors).toEqual([]);
		});

		it('is served once for each request, whichever nodes they reach together, with all that is said meanwhile', async () => {
			const { a, b, c } = await openSseNodes(door);
			const client = await a.open();
			const posts = [b, c, a, b, c, a].map((node, index) => client.at(node).post(call(index)));
			expect((await Promise.all(posts)).map(({ status }) => status)).toEqual(Array(6).fill(202));
			for (const index of posts.keys()) expect((await client.answerTo(index)).result.content[0].text).toBe('logged');
			expect(client.messages).toHaveLength(18);
			expect([...a.errors, ...b.errors, ...c.errors]).toEqual([]);
		});

		it('keeps its stream, and hears of changes, before it sends anything', async () => {
			const rig = await SseRig.open(door, { graceMs: 20_000 });
			const client = await rig.open(negotiated);
			await rig.advance(60_000);
			await rig.transport.notify.toolsChanged();
			await client.find(({ method }) => method === 'notifications/tools/list_changed');
			expect(await client.ask('echo', { text: 'x' })).toBe('x');
			expect(rig.made).toMatchObject([{ protocolVersion: '2025-06-18' }]);
		});

		it('may send initialize after all', async () => {
			const rig = await SseRig.open(door);
			const client = await rig.open(negotiated);
			expect((await client.initialize({ capabilities: { roots: {} } })).result).toBeDefined();
			expect(rig.made).toMatchObject([{ clientCapabilities: { roots: {} } }]);
		});

		it('gets the error of a server that refuses it, and may try again', async () => {
			let isBroken = true;
			const rig = await SseRig.open(door, {
				createServer: (session) => {
					if (isBroken) throw new Error('not now');
					return (
						sdks[0]?.make({ tools: { echo: () => 'x' } }, session) ?? Promise.reject(new Error('There is no SDK.'))
					);
				},
			});
			const client = await rig.open();
			expect((await client.post(call(1))).status).toBe(500);
			isBroken = false;
			expect(await client.ask('echo')).toBe('x');
		});
	},
);

describe.each(['v1', 'v2'] as const)('the official client %s of HTTP+SSE', (sdk) => {
	it('goes on by itself after its stream ended', async () => {
		const rig = await SseRig.open(handleDoor, { clock: systemClock, retryMs: 20 });
		const client = await connectOfficial(sdk, rig.door.origin, {}, 'sse');
		expect(await client.call('echo', { text: 'before' })).toBe('before');
		await rig.transport.terminate(client.sessionId, 'as if its node had left');
		expect(await until('it is back', () => client.call('echo', { text: 'after' }))).toBe('after');
		await rig.transport.notify.toolsChanged();
		await client.heard.count(1, 'change');
	});
});
