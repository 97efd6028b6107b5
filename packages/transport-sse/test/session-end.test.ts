import { InMemoryInfoSessionManager } from '@holdfast/session-manager';
import { ManualClock } from '@holdfast/session-manager/testing';
import { describe, expect, it } from 'vitest';
import type { SseClient } from '../../../test/support/clients/sse-client.ts';
import { Happening } from '../../../test/support/deadline.ts';
import { doors } from '../../../test/support/doors.ts';
import { eventually } from '../../../test/support/eventually.ts';
import { gatedTool } from '../../../test/support/gated-tool.ts';
import { SseRig } from './support/sse-rig.ts';

const nothing = { sessions: 0, liveServers: 0, requestsInFlight: 0, requestsWaiting: 0, connections: 0, bodyBytes: 0 };
const HOUR = 3_600_000;

async function expectGone(client: SseClient): Promise<void> {
	expect((await client.notify('notifications/initialized')).status).toBe(404);
}

describe.each(doors)('a session, through $name,', (door) => {
	it('lives as long as its stream, used or not', async () => {
		const rig = await SseRig.open(door);
		const client = await rig.session();
		await rig.advance(24 * HOUR);
		expect(await client.ask('echo', { text: 'x' })).toBe('x');
	});

	it('ends with its stream: calls are aborted, and all that it owned is freed', async () => {
		const { tool, arrived } = gatedTool();
		const rig = await SseRig.open(door, { tools: { slow: tool } });
		const client = await rig.session();
		await client.call('slow');
		const { session, signal } = await arrived.wait();
		const aborted = new Happening('the abort of the call');
		signal.addEventListener('abort', () => aborted.happen());
		client.stream.drop();
		await eventually(() => session.signal.reason).toBe('its stream ended');
		rig.clock.advance(100);
		await aborted.wait();
		await eventually(() => rig.transport.stats()).toEqual(nothing);
		await expectGone(client);
		expect(rig.errors).toEqual([]);
	});

	it('takes nothing once its stream is gone, so that nothing runs for nobody', async () => {
		const { tool, arrived } = gatedTool();
		const rig = await SseRig.open(door, { tools: { slow: tool } });
		const client = await rig.session();
		client.stream.drop();
		await eventually(() => rig.transport.stats().connections).toBe(0);
		await expectGone(client);
		await expect(client.call('slow')).rejects.toThrow('404');
		expect(arrived.done).toBe(false);
	});

	it('ends when it is not initialized within the grace, and its stream closes', async () => {
		const rig = await SseRig.open(door, { graceMs: 20_000 });
		const client = await rig.open();
		await rig.advance(19_000);
		expect(client.stream.over).toBe(false);
		await rig.advance(10_000);
		await client.stream.ended();
		expect(rig.transport.stats()).toEqual(nothing);
		await expectGone(client);
	});

	it('of which the client went before it was initialized ends at once', async () => {
		const rig = await SseRig.open(door);
		const client = await rig.open();
		client.stream.drop();
		await eventually(() => rig.transport.stats()).toEqual(nothing);
		await expectGone(client);
	});

	it('gets its whole grace from `initialize` on, however late that came', async () => {
		const rig = await SseRig.open(door, { graceMs: 20_000 });
		const client = await rig.open();
		await rig.advance(19_000);
		await client.initialize();
		await rig.advance(60_000);
		expect(await client.ask('echo', { text: 'x' })).toBe('x');
	});

	it('ends by a tool, which is still answered; within 100 ms the stream closes', async () => {
		const rig = await SseRig.open(door, {
			tools: {
				async end({ session }) {
					await session.terminate('enough');
					return 'ended';
				},
			},
		});
		const client = await rig.session();
		expect(await client.ask('end')).toBe('ended');
		await expectGone(client);
		rig.clock.advance(100);
		await client.stream.ended();
		await rig.advance(1_000);
		await eventually(() => rig.transport.stats()).toEqual(nothing);
		expect([client.stream.broken, rig.errors]).toEqual([false, []]);
	});

	it('ends by the server: calls get an error, and the stream closes within 100 ms', async () => {
		const { tool, arrived } = gatedTool();
		const rig = await SseRig.open(door, { tools: { slow: tool } });
		const client = await rig.session();
		const id = await client.call('slow');
		await arrived.wait();
		await rig.transport.terminate(client.id, 'maintenance');
		rig.clock.advance(100);
		expect(await client.answerTo(id)).toMatchObject({
			error: { code: -32001, message: 'The session ended: maintenance' },
		});
		await client.stream.ended();
	});

	it('ends when its time is over, however alive it is', async () => {
		const rig = await SseRig.open(door, { absoluteTtlMs: HOUR });
		const client = await rig.session();
		await rig.advance(HOUR - 1_000);
		expect(await client.ask('echo', { text: 'x' })).toBe('x');
		rig.clock.advance(1_100);
		await client.stream.ended();
		await expectGone(client);
		await rig.advance(1_000);
		expect(rig.transport.stats()).toEqual(nothing);
	});

	it('ends when the store does not know it any more, and its client learns it by the end of the stream', async () => {
		const clock = new ManualClock(1_000_000);
		const info = new InMemoryInfoSessionManager({ clock });
		const rig = await SseRig.open(door, { clock, sessionManager: { info } });
		const client = await rig.session();
		info.delete(client.id);
		await rig.advance(30_000);
		await client.stream.ended();
		expect(rig.transport.stats()).toEqual(nothing);
	});
});
