import { describe, expect, it } from 'vitest';
import { doors } from '../../../../test/support/doors.ts';
import { type GatedTool, gatedTool } from '../../../../test/support/gated-tool.ts';
import { Rig, textOf } from '../../../../test/support/rig.ts';
import { sdks, type Tool } from '../../../../test/support/servers.ts';

/** Tools named `0`, `1`, …, each in the test's hands. */
function gates(count: number) {
	const held = Array.from({ length: count }, gatedTool) as [GatedTool, ...GatedTool[]];
	const tools: Record<string, Tool> = {};
	for (const [name, { tool }] of held.entries()) tools[name] = tool;
	return { held, tools };
}

describe.each(doors)('requests at the same time, through $name', (door) => {
	it.each(sdks)('are each answered on their own POST, in whatever order they end ($name)', async (sdk) => {
		const { held, tools } = gates(6);
		const rig = await Rig.open(door, { sdk, tools });
		const client = await rig.session();
		const pending = held.map((_, name) => client.call(String(name)));
		for (const { arrived } of held) await arrived.wait();
		expect(rig.transport.stats().requestsInFlight).toBe(6);
		for (const name of [3, 0, 5, 1, 4, 2]) {
			held[name]?.go.happen(`answer ${name}`);
			const answer = await pending[name]?.then((head) => head.answer());
			expect(answer && textOf(answer)).toBe(`answer ${name}`);
		}
		expect(rig.transport.stats().requestsInFlight).toBe(0);
	});

	it('may have the same id in different sessions', async () => {
		const { held, tools } = gates(2);
		const rig = await Rig.open(door, { tools });
		const [a, b] = [await rig.session(), await rig.session()];
		const pending = [a.call('0'), b.call('1')];
		for (const { arrived, go } of held) {
			expect((await arrived.wait()).requestId).toBe(1);
			go.happen((await arrived.wait()).session.id);
		}
		const answers = await Promise.all(pending.map(async (head) => textOf(await (await head).answer())));
		expect(answers).toEqual([a.id, b.id]);
	});

	it('may not have the same id in one session: the second is refused with 400, the first goes on', async () => {
		const { held, tools } = gates(1);
		const rig = await Rig.open(door, { tools });
		const client = await rig.session();
		const pending = client.call('0');
		await held[0].arrived.wait();
		const again = await client.post({ jsonrpc: '2.0', id: client.lastRequestId, method: 'ping' });
		expect(again.status).toBe(400);
		expect(await again.json()).toMatchObject({ error: { code: -32600 } });
		expect((await client.post({ jsonrpc: '2.0', id: String(client.lastRequestId), method: 'ping' })).status).toBe(200);
		held[0].go.happen('the first');
		expect(textOf(await (await pending).answer())).toBe('the first');
	});

	it('beyond the bound of a session are refused with 429 and when to try again; other sessions are not', async () => {
		const { held, tools } = gates(2);
		const rig = await Rig.open(door, { tools, maxRequestsInFlight: 2 });
		const [client, other] = [await rig.session(), await rig.session()];
		const pending = [client.call('0'), client.call('1')];
		for (const { arrived } of held) await arrived.wait();
		const refused = await client.call('echo', { text: 'x' });
		expect(refused.status).toBe(429);
		expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
		expect(await other.ask('echo', { text: 'free' })).toBe('free');
		expect((await client.notify('notifications/roots/list_changed')).status).toBe(202);
		for (const { go } of held) go.happen('done');
		for (const head of pending) expect(textOf(await (await head).answer())).toBe('done');
		expect(await client.ask('echo', { text: 'again' })).toBe('again');
	});
});
