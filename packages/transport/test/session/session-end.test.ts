import { describe, expect, it } from 'vitest';
import { Happening } from '../../../../test/support/deadline.ts';
import { doors } from '../../../../test/support/doors.ts';
import { gatedTool } from '../../../../test/support/gated-tool.ts';
import { Rig, type TestClient, textOf } from '../../../../test/support/rig.ts';
import { sdks, type Tool } from '../../../../test/support/servers.ts';

const nothing = { sessions: 0, liveServers: 0, requestsInFlight: 0, requestsWaiting: 0, connections: 0, bodyBytes: 0 };

/** Ends the session of its call, and answers. */
const end: Tool = async ({ session, args }) => {
	await session.terminate(String(args['reason']));
	return 'ended';
};

async function expectGone(client: TestClient): Promise<void> {
	const answers = [
		await client.request('ping'),
		await client.notify('notifications/initialized'),
		await client.get(),
		await client.delete(),
	];
	expect(answers.map(({ status }) => status)).toEqual([404, 404, 404, 404]);
	expect(await answers[0]?.json()).toMatchObject({ error: { code: -32001 } });
}

describe.each(doors)('DELETE, through $name', (door) => {
	it.each(sdks)('ends the session: 200, and 404 from then on ($name)', async (sdk) => {
		const rig = await Rig.open(door, { sdk });
		const client = await rig.session();
		const answer = await client.delete();
		expect([answer.status, await answer.text()]).toEqual([200, '']);
		await expectGone(client);
		expect(rig.transport.stats()).toEqual(nothing);
	});

	it('closes the session stream', async () => {
		const rig = await Rig.open(door);
		const client = await rig.session();
		const stream = await client.get();
		await stream.event(0);
		await client.delete();
		await stream.ended();
		expect([stream.broken, stream.messages]).toEqual([false, []]);
	});

	it('aborts session.signal, which says why', async () => {
		const rig = await Rig.open(door);
		const client = await rig.session();
		const { signal } = rig.made[0] ?? {};
		const heard = new Happening('the abort');
		signal?.addEventListener('abort', () => heard.happen());
		expect(signal?.aborted).toBe(false);
		await client.delete();
		await heard.wait();
		expect(signal?.reason).toBe('the client ended it');
	});

	it.each(sdks)('answers running calls of a $name with an error, as JSON and on a stream', async (sdk) => {
		const [first, second] = [gatedTool(), gatedTool()];
		const rig = await Rig.open(door, { sdk, tools: { first: first.tool, second: second.tool } });
		const client = await rig.session();
		const streaming = client.call('first');
		const call = await first.arrived.wait();
		await call.here.log('info', 'on a stream');
		const stream = await streaming;
		const pending = client.call('second');
		await second.arrived.wait();
		await client.delete();
		rig.clock.advance(1_000);
		const answers = [await stream.answer(), await (await pending).answer()];
		for (const { error } of answers)
			expect(error).toEqual({ code: -32001, message: expect.stringMatching(/session ended/i) });
		await stream.ended();
		expect((await pending).isStream).toBe(false);
		expect(call.signal.aborted).toBe(true);
		expect(rig.transport.stats()).toEqual(nothing);
	});

	it('gives running calls a moment for a response of their own', async () => {
		const { arrived, go, tool } = gatedTool();
		const rig = await Rig.open(door, { tools: { hold: tool } });
		const client = await rig.session();
		const pending = client.call('hold');
		await arrived.wait();
		await client.delete();
		rig.clock.advance(25);
		go.happen('just in time');
		expect(textOf(await (await pending).answer())).toBe('just in time');
		await expectGone(client);
		rig.clock.advance(1_000);
		expect(rig.transport.stats()).toEqual(nothing);
	});

	it('leaves other sessions as they are', async () => {
		const rig = await Rig.open(door);
		const [client, other] = [await rig.session(), await rig.session()];
		const stream = await other.get();
		await client.delete();
		expect(await other.ask('echo', { text: 'on' })).toBe('on');
		await rig.transport.notify.toolsChanged();
		await stream.message(0);
		expect([stream.over, rig.made[1]?.signal.aborted]).toEqual([false, false]);
	});

	it('leaves nothing that a later session could hear', async () => {
		const rig = await Rig.open(door);
		const client = await rig.session();
		const stream = await client.get();
		await stream.event(0);
		await client.delete();
		const other = await rig.session();
		const resumed = await other.get(stream.lastEventId);
		await rig.transport.notify.toolsChanged();
		await resumed.find(({ method }) => method === 'notifications/tools/list_changed');
		expect((await client.get(stream.lastEventId)).status).toBe(404);
	});

	it('also ends a session whose live server was dropped', async () => {
		const rig = await Rig.open(door);
		const client = await rig.session();
		await rig.transport.release(client.id);
		expect((await client.delete()).status).toBe(200);
		await expectGone(client);
		expect(rig.made).toHaveLength(1);
	});
});

describe.each(doors)('ending a session from within, through $name', (door) => {
	it.each(['auto', 'json', 'sse'] as const)(
		'answers the call that asked for it, with responseMode %s',
		async (responseMode) => {
			const rig = await Rig.open(door, { responseMode, tools: { end } });
			const client = await rig.session();
			const answer = await client.call('end', { reason: 'enough' });
			expect(textOf(await answer.answer())).toBe('ended');
			await answer.ended();
			expect(rig.made[0]?.signal.reason).toBe('enough');
			await expectGone(client);
			rig.clock.advance(1_000);
			expect(rig.transport.stats()).toEqual(nothing);
		},
	);

	it.each(sdks)('answers the call on the stream that it has opened ($name)', async (sdk) => {
		const rig = await Rig.open(door, {
			sdk,
			tools: {
				end: async (call) => {
					await call.here.log('info', 'before');
					await end(call);
					await call.here.log('info', 'after');
					return 'ended';
				},
			},
		});
		const client = await rig.session();
		const session = await client.get();
		const stream = await client.call('end', { reason: 'x' });
		await stream.ended();
		await session.ended();
		expect(stream.messages.map(({ message }) => message.params?.data ?? textOf(message))).toEqual([
			'before',
			'after',
			'ended',
		]);
	});

	it('works from outside of any call, and twice', async () => {
		const rig = await Rig.open(door);
		const [client, other] = [await rig.session(), await rig.session()];
		const stream = await client.get();
		await rig.transport.terminate(client.id, 'maintenance');
		await rig.transport.terminate(client.id, 'again');
		await rig.transport.terminate('unknown', 'whatever');
		await stream.ended();
		expect(rig.made[0]?.signal.reason).toBe('maintenance');
		await expectGone(client);
		expect(await other.ask('echo', { text: 'on' })).toBe('on');
	});
});

describe.each(doors)('session/terminate, through $name', (door) => {
	it('ends the session as DELETE does, and is answered', async () => {
		const rig = await Rig.open(door);
		const client = await rig.session();
		const stream = await client.get();
		await stream.event(0);
		const answer = await client.request('session/terminate', { reason: 'the user went home' });
		expect([answer.status, (await answer.json()).result]).toEqual([200, {}]);
		await stream.ended();
		expect(rig.made[0]?.signal.reason).toBe('the user went home');
		await expectGone(client);
		expect(rig.transport.stats()).toEqual(nothing);
	});

	it('may be a notification, and needs no reason', async () => {
		const rig = await Rig.open(door);
		const client = await rig.session();
		expect((await client.notify('session/terminate')).status).toBe(202);
		expect(rig.made[0]?.signal.reason).toBe('the client ended it');
		await expectGone(client);
	});

	it('ends no session but its own', async () => {
		const rig = await Rig.open(door);
		const [client, other] = [await rig.session(), await rig.session()];
		await client.request('session/terminate', { sessionId: other.id });
		await expectGone(client);
		expect((await other.request('ping')).status).toBe(200);
	});
});
