import { InMemoryInfoSessionManager, InMemoryStreamSessionManager } from '@holdfast/session-manager';
import { ManualClock } from '@holdfast/session-manager/testing';
import { describe, expect, it } from 'vitest';
import type { WireResponse } from '../../../test/support/clients/wire-response.ts';
import { type Door, doors } from '../../../test/support/doors.ts';
import { gatedTool } from '../../../test/support/gated-tool.ts';
import { Rig, type RigOptions, TestClient } from '../../../test/support/rig.ts';
import { type Tool, v1Server } from '../../../test/support/servers.ts';

const methods = ({ messages }: WireResponse) => messages.map(({ message }) => message.method);

/** Says something on the session stream. */
const say: Tool = async ({ outside, args }) => {
	await outside.log('info', { n: args['n'] });
	return '';
};

/** A session on a server that is then replaced: what sessions are is kept, their streams are not. */
async function restart(
	door: Door,
	options: RigOptions = {},
	use: (client: TestClient, rig: Rig) => Promise<void> = async () => {},
) {
	const clock = new ManualClock(1_000_000);
	const info = new InMemoryInfoSessionManager({ clock });
	const before = await Rig.open(door, { clock, sessionManager: { info }, ...options });
	const old = await before.session();
	const stream = await old.get();
	await stream.event(0);
	await use(old, before);
	const after = await Rig.open(door, { clock, sessionManager: { info }, ...options });
	return { old, stream, after, client: new TestClient(after, old.id, old.protocolVersion, old.result) };
}

describe.each(doors)('resuming after a loss, through $name', (door) => {
	it('tells the client to read all lists and its resources again', async () => {
		const { client, stream, after } = await restart(door, {}, async (old) => {
			for (const uri of ['file:///a', 'file:///b']) await (await old.request('resources/subscribe', { uri })).text();
		});
		const resumed = await client.get(stream.lastEventId);
		await resumed.message(4);
		expect(methods(resumed).sort()).toEqual([
			'notifications/prompts/list_changed',
			'notifications/resources/list_changed',
			'notifications/resources/updated',
			'notifications/resources/updated',
			'notifications/tools/list_changed',
		]);
		const uris = resumed.messages.flatMap(({ message }) => message.params?.uri ?? []);
		expect(uris.sort()).toEqual(['file:///a', 'file:///b']);
		await after.transport.notify.toolsChanged();
		await resumed.message(5);
		expect(methods(resumed)).toHaveLength(6);
	});

	it('says nothing of lists that the server never declared to change', async () => {
		const capabilities = {
			logging: {},
			tools: { listChanged: true },
			prompts: {},
			resources: { subscribe: true, listChanged: false },
		};
		const { client, stream } = await restart(door, { sdk: v1Server, capabilities, tools: { say } });
		const resumed = await client.get(stream.lastEventId);
		await client.ask('say', { n: 1 });
		await resumed.message(1);
		expect(methods(resumed)).toEqual(['notifications/tools/list_changed', 'notifications/message']);
	});

	it('tells a client that comes without an event id, once: broadcasts since its session began are lost', async () => {
		const { client } = await restart(door, { tools: { say } });
		const fresh = await client.get();
		await fresh.message(2);
		expect(methods(fresh).sort()).toEqual([
			'notifications/prompts/list_changed',
			'notifications/resources/list_changed',
			'notifications/tools/list_changed',
		]);
		const again = await client.get();
		await client.ask('say', { n: 1 });
		await again.message(0);
		expect(methods(again)).toEqual(['notifications/message']);
	});

	it('ends the stream of a lost call with an error that answers its request', async () => {
		const { arrived, tool } = gatedTool();
		const lost: { stream?: WireResponse; id?: number } = {};
		const { client } = await restart(door, { tools: { hold: tool } }, async (old, rig) => {
			const pending = old.call('hold');
			await arrived.wait();
			rig.clock.advance(200);
			lost.stream = await pending;
			lost.id = old.lastRequestId;
			await lost.stream.event(0);
		});
		const resumed = await client.get(lost.stream?.lastEventId);
		expect(resumed.status).toBe(200);
		await resumed.ended();
		expect(resumed.messages.map(({ message }) => message)).toEqual([
			{ jsonrpc: '2.0', id: lost.id, error: { code: expect.any(Number), message: expect.any(String) } },
		]);
	});

	it('of a history that is too short tells to read again, and delivers what is left', async () => {
		const clock = new ManualClock(1_000_000);
		const streams = new InMemoryStreamSessionManager({ clock, history: { maxEvents: 2 } });
		const rig = await Rig.open(door, { clock, sessionManager: { streams }, tools: { say } });
		const client = await rig.session();
		const first = await client.get();
		await first.event(0);
		first.drop();
		for (const n of [1, 2, 3, 4]) await client.ask('say', { n });
		const second = await client.get(first.lastEventId);
		await second.message(4);
		expect(methods(second).slice(0, 3).sort()).toEqual([
			'notifications/prompts/list_changed',
			'notifications/resources/list_changed',
			'notifications/tools/list_changed',
		]);
		expect(second.messages.slice(3).map(({ message }) => message.params.data.n)).toEqual([3, 4]);
	});

	it('of a history that is too old tells to read again', async () => {
		const rig = await Rig.open(door, { tools: { say }, idleTtlMs: 0 });
		const client = await rig.session();
		const first = await client.get();
		await first.event(0);
		first.drop();
		await client.ask('say', { n: 1 });
		rig.clock.advance(11 * 60_000);
		const second = await client.get(first.lastEventId);
		await second.message(2);
		expect(methods(second)).toContain('notifications/tools/list_changed');
		expect(methods(second)).not.toContain('notifications/message');
	});

	it('still gets the response of a call that runs, however old the last event is', async () => {
		const { arrived, go, tool } = gatedTool();
		const rig = await Rig.open(door, { tools: { hold: tool } });
		const client = await rig.session();
		const pending = client.call('hold');
		await arrived.wait();
		rig.clock.advance(200);
		const first = await pending;
		await first.event(0);
		first.drop();
		for (let minute = 0; minute < 25; minute++) rig.clock.advance(60_000);
		const second = await client.get(first.lastEventId);
		expect(second.status).toBe(200);
		go.happen('patience');
		expect((await second.answer()).result.content[0].text).toBe('patience');
		await second.ended();
	});

	it.each(['x/y/z', 'a b', '/', '/name', '1/', '1/nobody', 'a'.repeat(600), 'id\u00e9', '1/../../x', '1/a.b.!!!'])(
		'refuses an event id that the server cannot have made with 400: %j',
		async (id) => {
			const rig = await Rig.open(door);
			const client = await rig.session();
			const answer = await client.get(id);
			expect(answer.status).toBe(400);
			expect(await answer.json()).toMatchObject({ jsonrpc: '2.0', id: null, error: { code: -32000 } });
		},
	);

	it('takes an empty event id for none', async () => {
		const rig = await Rig.open(door);
		const client = await rig.session();
		expect((await client.get('')).status).toBe(200);
	});

	it('never delivers an event of another session', async () => {
		const { arrived, go, tool } = gatedTool();
		const rig = await Rig.open(door, { tools: { say, hold: tool } });
		const [victim, thief] = [await rig.session(), await rig.session()];
		const victimStream = await victim.get();
		await victimStream.event(0);
		const pending = victim.call('hold');
		await arrived.wait();
		rig.clock.advance(200);
		const victimCall = await pending;
		await victimCall.event(0);
		await victim.ask('say', { n: 'secret' });
		await victimStream.message(0);

		const stolen = await thief.get(victimStream.events[0]?.id);
		const stolenCall = await thief.get(victimCall.lastEventId);
		await thief.ask('say', { n: 'own' });
		await stolen.find(({ params }) => params?.data?.n === 'own');
		go.happen('secret');
		expect((await victimCall.answer()).result.content[0].text).toBe('secret');
		await stolenCall.ended();
		expect(stolen.received).not.toContain('secret');
		expect(stolenCall.received).not.toContain('secret');
		expect([victimStream.over, victimCall.messages.length]).toEqual([false, 1]);
	});
});
