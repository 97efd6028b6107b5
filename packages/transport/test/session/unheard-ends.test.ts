import { InMemoryInfoSessionManager, InMemoryStreamSessionManager } from '@holdfast/session-manager';
import { ManualClock } from '@holdfast/session-manager/testing';
import { describe, expect, it } from 'vitest';
import { AsynchronousInfo } from '../../../../test/support/custom-managers.ts';
import { Happening, settle } from '../../../../test/support/deadline.ts';
import { doors } from '../../../../test/support/doors.ts';
import { at, openNodes } from '../../../../test/support/nodes.ts';
import { Rig } from '../../../../test/support/rig.ts';

const MINUTE = 60_000;

/** Whose reads can be held up after the store has been asked. */
class SlowReads extends AsynchronousInfo {
	readonly read1 = new Happening('a read of the store');
	readonly go = new Happening('the go-ahead for a read');
	isSlow = false;

	override async read(id: string) {
		const record = await super.read(id);
		if (!this.isSlow) return record;
		this.isSlow = false;
		this.read1.happen();
		await this.go.wait();
		return record;
	}
}

describe.each(doors)('a session of whose end no node was told, through $name,', (door) => {
	it.each([0, 30 * MINUTE])('ends soon after its next use (idleTtlMs: %i)', async (idleTtlMs) => {
		const { a, b, clock, info } = await openNodes(door, { idleTtlMs });
		const client = await a.session();
		const stream = await client.get();
		await stream.event(0);
		expect((await at(b, client).request('ping')).status).toBe(200);
		info.delete(client.id);
		clock.advance(MINUTE);
		for (const node of [a, b]) {
			// The store hears of this use, and says that it does not know the session.
			await at(node, client).request('ping');
			await settle();
			expect((await at(node, client).request('ping')).status).toBe(404);
		}
		clock.advance(1_000);
		await stream.ended();
		expect(a.made[0]?.signal.aborted).toBe(true);
	});

	it.each([
		['0', 0],
		['its default', undefined],
	])('ends within six minutes where it is open and nobody uses it (suspendAfterMs: %s)', async (_, suspendAfterMs) => {
		const { a, clock, info } = await openNodes(door, {
			idleTtlMs: 0,
			...(suspendAfterMs !== undefined && { suspendAfterMs }),
		});
		const client = await a.session();
		const stream = await client.get();
		await stream.event(0);
		info.delete(client.id);
		for (let second = 0; second < 6 * 60; second++) clock.advance(1_000);
		await settle();
		await stream.ended();
		expect(a.made[0]?.signal.aborted).toBe(true);
	});

	it('ends where it was ended while this node read it', async () => {
		const clock = new ManualClock(1_000_000);
		const streams = new InMemoryStreamSessionManager({ clock });
		const info = new SlowReads(clock);
		const openNode = () => Rig.open(door, { clock, sessionManager: { streams, info } });
		const [a, b] = [await openNode(), await openNode()];
		const client = await a.session();
		info.isSlow = true;
		const pinged = at(b, client).request('ping');
		await info.read1.wait();
		expect((await client.delete()).status).toBe(200);
		info.go.happen();
		expect((await pinged).status).toBe(404);
		expect((await at(b, client).request('ping')).status).toBe(404);
		expect(b.transport.stats().sessions).toBe(0);
	});

	it('whose log level changed while this node read it has the new one', async () => {
		const clock = new ManualClock(1_000_000);
		const streams = new InMemoryStreamSessionManager({ clock });
		const info = new SlowReads(clock);
		const openNode = () =>
			Rig.open(door, {
				clock,
				sessionManager: { streams, info },
				tools: {
					async say({ here }) {
						for (const level of ['info', 'error']) await here.log(level, level);
						return '';
					},
				},
			});
		const [a, b] = [await openNode(), await openNode()];
		const client = await a.session();
		info.isSlow = true;
		const said = at(b, client).call('say');
		await info.read1.wait();
		expect((await client.request('logging/setLevel', { level: 'error' })).status).toBe(200);
		info.go.happen();
		const stream = await said;
		await stream.ended();
		expect(stream.messages.flatMap(({ message }) => message.params?.data ?? [])).toEqual(['error']);
	});
});

describe.each(doors)('a store that lost everything, through $name,', (door) => {
	it('takes the sessions of every node with it', async () => {
		const clock = new ManualClock(1_000_000);
		const info = new InMemoryInfoSessionManager({ clock });
		const rig = await Rig.open(door, { clock, sessionManager: { info }, idleTtlMs: 0 });
		const clients = [await rig.session(), await rig.session(), await rig.session()];
		for (const { id } of clients) info.delete(id);
		clock.advance(MINUTE);
		for (const client of clients) await client.request('ping');
		await settle();
		for (const client of clients) expect((await client.request('ping')).status).toBe(404);
		expect(rig.transport.stats().sessions).toBe(0);
	});
});
