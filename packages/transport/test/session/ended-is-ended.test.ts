import { describe, expect, it } from 'vitest';
import { advance, openBrokerNodes } from '../../../../test/support/broker-nodes.ts';
import { settle } from '../../../../test/support/deadline.ts';
import { doors } from '../../../../test/support/doors.ts';
import { at } from '../../../../test/support/nodes.ts';
import type { Tool } from '../../../../test/support/servers.ts';

const say: Tool = async ({ here }) => {
	for (const level of ['info', 'error']) await here.log(level, level);
	return '';
};

describe.each(doors)('what holds on every node when the client has its answer, through $name:', (door) => {
	/** A session that B and C know, and that A does not hear of. */
	async function openKnown() {
		const nodes = await openBrokerNodes(door, { tools: { say } });
		const client = await nodes.a.rig.session();
		const [onB, onC] = [at(nodes.b.rig, client), at(nodes.c.rig, client)];
		for (const each of [onB, onC]) expect((await each.request('ping')).status).toBe(200);
		await advance(3_000, nodes.a, nodes.b, nodes.c);
		return { ...nodes, client, onB, onC };
	}

	/** Whether it has been answered. */
	function watched(promise: Promise<unknown>): { readonly done: boolean } {
		const seen = { done: false };
		void promise.then(() => {
			seen.done = true;
		});
		return seen;
	}

	it.each(['DELETE', 'session/terminate'] as const)('that the session has ended (%s)', async (how) => {
		const { a, b, client, onB, onC } = await openKnown();
		b.streams.deafen();
		const ended = how === 'DELETE' ? client.delete() : client.request('session/terminate');
		const answered = watched(ended);
		await a.streams.hasSent('session-ended');
		await settle();
		expect(answered.done).toBe(false);
		expect((await onC.request('ping')).status).toBe(404);
		b.streams.hear();
		expect((await ended).status).toBe(200);
		expect((await onB.request('ping')).status).toBe(404);
	});

	it('that the session has ended, also on a node that does not hear of it in time', async () => {
		const { a, b, c, client, onB } = await openKnown();
		b.streams.deafen();
		const ended = client.delete();
		const answered = watched(ended);
		await a.streams.hasSent('session-ended');
		await advance(2_000, a, b, c);
		// Nobody has been told yet that it has ended.
		expect([answered.done, (await onB.request('ping')).status]).toEqual([false, 200]);
		await advance(1_000, a, b, c);
		expect((await ended).status).toBe(200);
		expect((await onB.request('ping')).status).toBe(404);
		b.streams.hear();
		expect((await onB.request('ping')).status).toBe(404);
	});

	it('that the session has ended, also on a node that wakes up with a backlog', async () => {
		const { a, b, c, client, onB } = await openKnown();
		b.streams.deafen();
		const ended = client.delete();
		await a.streams.hasSent('session-ended');
		await advance(10_000, a, c);
		expect((await ended).status).toBe(200);
		// It was stopped all that time; requests come to it before the backlog.
		b.rig.clock.advance(10_000);
		expect((await onB.request('ping')).status).toBe(404);
	});

	it('the log level that it set', async () => {
		const { a, b, client, onB, onC } = await openKnown();
		b.streams.deafen();
		const set = client.request('logging/setLevel', { level: 'error' });
		const answered = watched(set);
		await a.streams.hasSent('session-changed');
		await settle();
		expect(answered.done).toBe(false);
		b.streams.hear();
		expect((await set).status).toBe(200);
		for (const each of [client, onB, onC]) {
			const stream = await each.call('say');
			await stream.ended();
			expect(stream.messages.flatMap(({ message }) => message.params?.data ?? [])).toEqual(['error']);
		}
	});

	it('the log level that it set, also on a node that does not hear of it in time', async () => {
		const { a, b, c, client, onB } = await openKnown();
		b.streams.deafen();
		const set = client.request('logging/setLevel', { level: 'error' });
		await a.streams.hasSent('session-changed');
		await advance(3_000, a, b, c);
		expect((await set).status).toBe(200);
		const stream = await onB.call('say');
		await stream.ended();
		expect(stream.messages.flatMap(({ message }) => message.params?.data ?? [])).toEqual(['error']);
	});
});
