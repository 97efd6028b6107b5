import { InMemoryStreamSessionManager } from '@holdfast/session-manager';
import { ManualClock } from '@holdfast/session-manager/testing';
import { describe, expect, it } from 'vitest';
import { AsynchronousInfo } from '../../../../test/support/custom-managers.ts';
import { Happening } from '../../../../test/support/deadline.ts';
import { doors } from '../../../../test/support/doors.ts';
import { eventually } from '../../../../test/support/eventually.ts';
import { Rig, textOf } from '../../../../test/support/rig.ts';

const form = { message: 'Name?', requestedSchema: { type: 'object', properties: { name: { type: 'string' } } } };

/** Whose writes of state can be held up. */
class SlowWrites extends AsynchronousInfo {
	readonly began = new Happening('a write of state');
	readonly go = new Happening('the go-ahead for a write');

	override async writeState(...args: Parameters<AsynchronousInfo['writeState']>): Promise<boolean> {
		this.began.happen();
		await this.go.wait();
		return super.writeState(...args);
	}
}

describe.each(doors)('a call that comes while its session is released, through $name,', (door) => {
	/** A session that is being released: its marks are being written. */
	async function openReleasing(how: 'released' | 'suspended') {
		const clock = new ManualClock(1_000_000);
		const info = new SlowWrites(clock);
		const streams = new InMemoryStreamSessionManager({ clock });
		const rig = await Rig.open(door, {
			clock,
			sessionManager: { streams, info },
			tools: {
				mark: async ({ session }) => String(await session.state.marks('sent').add('x')),
				ask: async ({ here }) => (await here.elicit(form)).content.name,
			},
		});
		const client = await rig.session({ capabilities: { elicitation: {} } });
		await client.ask('mark');
		const released = how === 'released' ? rig.transport.release(client.id) : rig.transport.suspend(client.id);
		await info.began.wait();
		const call = await client.call('ask');
		const question = await call.find(({ method }) => method === 'elicitation/create');
		info.go.happen();
		await released;
		return { rig, client, call, question, released: await released };
	}

	describe.each(['released', 'suspended'] as const)('being %s,', (how) => {
		it('hears what its client answers', async () => {
			const { rig, client, call, question, released } = await openReleasing(how);
			if (how === 'released') expect(released).toBe(false);
			expect((await client.reply(question.id, { action: 'accept', content: { name: 'Ada' } })).status).toBe(202);
			expect(textOf(await call.answer())).toBe('Ada');
			await eventually(() => rig.transport.stats().requestsInFlight).toBe(0);
		});

		it('can be cancelled', async () => {
			const { rig, client, call } = await openReleasing(how);
			const { requestsInFlight } = rig.transport.stats();
			await client.notify('notifications/cancelled', { requestId: client.lastRequestId });
			await call.ended();
			expect([requestsInFlight, rig.transport.stats().requestsInFlight]).toEqual([1, 0]);
		});

		it('ends with its session', async () => {
			const { rig, client, call } = await openReleasing(how);
			expect((await client.delete()).status).toBe(200);
			rig.clock.advance(1_000);
			expect((await call.answer()).error).toMatchObject({ code: -32001 });
			await call.ended();
			expect(rig.transport.stats()).toMatchObject({ sessions: 0, liveServers: 0, requestsInFlight: 0 });
		});
	});
});
