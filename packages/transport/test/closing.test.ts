import { InMemoryInfoSessionManager, InMemoryStreamSessionManager } from '@holdfast/session-manager';
import { ManualClock } from '@holdfast/session-manager/testing';
import { describe, expect, it } from 'vitest';
import { doors } from '../../../test/support/doors.ts';
import { gatedTool } from '../../../test/support/gated-tool.ts';
import { Rig, TestClient } from '../../../test/support/rig.ts';

describe.each(doors)('close, through $name', (door) => {
	it('closes every stream, and refuses whatever comes later with 503 and when to try again', async () => {
		const rig = await Rig.open(door);
		const clients = [await rig.session(), await rig.session()] as const;
		const streams = [await clients[0].get(), await clients[1].get()];
		for (const stream of streams) await stream.event(0);
		await rig.transport.close();
		for (const stream of streams) await stream.ended();
		const answers = [
			await rig.initialize(),
			await clients[0].request('ping'),
			await clients[0].get(),
			await clients[0].delete(),
		];
		for (const answer of answers) {
			expect(answer.status).toBe(503);
			expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
		}
		expect(rig.transport.stats()).toEqual({
			sessions: 0,
			liveServers: 0,
			requestsInFlight: 0,
			requestsWaiting: 0,
			connections: 0,
			bodyBytes: 0,
		});
	});

	it('leaves no call without a response, as JSON or on a stream', async () => {
		const [first, second] = [gatedTool(), gatedTool()];
		const rig = await Rig.open(door, { tools: { first: first.tool, second: second.tool } });
		const client = await rig.session();
		const streaming = client.call('first');
		await (await first.arrived.wait()).here.log('info', 'on a stream');
		const stream = await streaming;
		const pending = client.call('second');
		await second.arrived.wait();
		await rig.transport.close();
		const answers = [await stream.answer(), await (await pending).answer()];
		for (const { error } of answers)
			expect(error).toMatchObject({ code: expect.any(Number), message: expect.any(String) });
		await stream.ended();
	});

	it('ends the questions of the server', async () => {
		const rig = await Rig.open(door, {
			tools: { roots: ({ outside }) => outside.roots().then(String, (error: Error) => `failed: ${error.message}`) },
		});
		const client = await rig.session({ capabilities: { roots: {} } });
		const stream = await client.get();
		const pending = client.call('roots');
		await stream.message(0);
		await rig.transport.close();
		await (await pending).ended();
		expect(rig.transport.stats().requestsWaiting).toBe(0);
	});

	it('may be called twice, and by await using', async () => {
		const rig = await Rig.open(door);
		await Promise.all([rig.transport.close(), rig.transport.close()]);
		await rig.transport.close();
		await rig.transport[Symbol.asyncDispose]();
		expect(rig.errors).toEqual([]);
	});

	it('leaves the managers of the caller, and the sessions in them, to the next transport', async () => {
		const clock = new ManualClock(1_000_000);
		const sessionManager = {
			info: new InMemoryInfoSessionManager({ clock }),
			streams: new InMemoryStreamSessionManager({ clock }),
		};
		const before = await Rig.open(door, { clock, sessionManager });
		const old = await before.session();
		const stream = await old.get();
		await stream.event(0);
		await before.transport.close();
		await stream.ended();
		expect(before.made[0]?.signal.aborted).toBe(false);

		const after = await Rig.open(door, { clock, sessionManager });
		await after.transport.notify.toolsChanged();
		const client = new TestClient(after, old.id, old.protocolVersion, old.result);
		expect(await client.ask('echo', { text: 'on' })).toBe('on');
		const resumed = await client.get(stream.lastEventId);
		expect((await resumed.message(0)).method).toBe('notifications/tools/list_changed');
	});
});
