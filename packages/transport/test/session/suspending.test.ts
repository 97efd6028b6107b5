import { type InfoSessionManager, statusOf } from '@holdfast/session-manager/custom';
import { describe, expect, it } from 'vitest';
import { doors } from '../../../../test/support/doors.ts';
import { eventually } from '../../../../test/support/eventually.ts';
import { gatedTool } from '../../../../test/support/gated-tool.ts';
import { at, openNodes } from '../../../../test/support/nodes.ts';
import type { RigOptions } from '../../../../test/support/rig.ts';
import { textOf } from '../../../../test/support/rig.ts';
import type { Tool } from '../../../../test/support/servers.ts';

const MINUTE = 60_000;

const stateTools = {
	remember: async ({ session, args }) => {
		await session.state.set('note', String(args['note']));
		return 'kept';
	},
	recall: async ({ session }) => `${await session.state.get('note')} ${session.status} ${session.logLevel}`,
	mark: async ({ session, args }) => String(await session.state.marks('sent').add(String(args['mark']))),
} satisfies Record<string, Tool>;

async function statusIn(info: InfoSessionManager, id: string) {
	const record = await info.read(id);
	return record && statusOf(record);
}

describe.each(doors)('through $name', (door) => {
	const open = (options: RigOptions = {}) =>
		openNodes(door, { ...options, tools: { ...stateTools, ...options.tools } });
	const statsOf = ({ a, b }: Awaited<ReturnType<typeof open>>) =>
		[a, b].map(({ transport }) => {
			const { sessions, liveServers, connections } = transport.stats();
			return { sessions, liveServers, connections };
		});
	const nothing = { sessions: 0, liveServers: 0, connections: 0 };

	describe('suspending a session', () => {
		it('frees every node of it and keeps all in the store; the next request resumes it, on any node', async () => {
			const nodes = await open();
			const { a, b, info } = nodes;
			const client = await a.session({ clientInfo: { name: 'sleeper', version: '1' } });
			await client.ask('remember', { note: 'hello' });
			await client.request('logging/setLevel', { level: 'warning' });
			await client.request('resources/subscribe', { uri: 'test://thing' });
			await at(b, client).ask('recall');
			expect(await a.transport.suspend(client.id)).toBe(true);
			await eventually(() => statsOf(nodes)).toEqual([nothing, nothing]);
			expect(await info.read(client.id)).toMatchObject({ status: 'suspended' });
			expect(await at(b, client).ask('recall')).toBe('hello active warning');
			await eventually(() => statusIn(info, client.id)).toBe('active');
			const stream = await client.get();
			await stream.event(0);
			await b.transport.notify.resourceUpdated('test://thing');
			expect((await stream.find(({ method }) => method === 'notifications/resources/updated')).params).toEqual({
				uri: 'test://thing',
			});
		});

		it('closes its streams, whose clients come back to the rest of them', async () => {
			const nodes = await open();
			const { a, b } = nodes;
			const client = await a.session();
			const stream = await client.get();
			await stream.event(0);
			expect(await b.transport.suspend(client.id)).toBe(true);
			await stream.ended();
			expect(stream.broken).toBe(false);
			await eventually(() => statsOf(nodes)).toEqual([nothing, nothing]);
			await a.transport.notify.toolsChanged();
			const resumed = await at(b, client).get(stream.lastEventId);
			await resumed.find(({ method }) => method === 'notifications/tools/list_changed');
		});

		it('writes the marks that wait to be written', async () => {
			const { a, b } = await open();
			const client = await a.session();
			expect(await client.ask('mark', { mark: 'one' })).toBe('true');
			expect(await a.transport.suspend(client.id)).toBe(true);
			expect(await at(b, client).ask('mark', { mark: 'one' })).toBe('false');
		});

		it('is refused while a call runs, on this node or on another', async () => {
			const { arrived, go, tool } = gatedTool();
			const { a, b, info } = await open({ tools: { hold: tool } });
			const client = await a.session();
			const pending = client.call('hold');
			await arrived.wait();
			expect(await a.transport.suspend(client.id)).toBe(false);
			expect(await info.read(client.id)).not.toMatchObject({ status: 'suspended' });
			// Another node cannot know; the one that runs the call takes it back.
			await b.transport.suspend(client.id);
			await eventually(() => statusIn(info, client.id)).toBe('active');
			go.happen('done');
			expect(textOf(await (await pending).answer())).toBe('done');
			expect(a.made[0]?.signal.aborted).toBe(false);
		});

		it('of an unknown, an ended or a suspended one is false', async () => {
			const { a, b } = await open();
			const [ended, suspended] = [await a.session(), await a.session()];
			await ended.delete();
			expect(await a.transport.suspend('unknown-session')).toBe(false);
			expect(await b.transport.suspend(ended.id)).toBe(false);
			expect(await b.transport.suspend(suspended.id)).toBe(true);
			expect(await a.transport.suspend(suspended.id)).toBe(false);
		});

		it('does not end its life: a suspended session expires when it would have', async () => {
			const { a, clock } = await open({ idleTtlMs: 10 * MINUTE });
			const client = await a.session();
			await a.transport.suspend(client.id);
			clock.advance(9 * MINUTE);
			expect(await client.ask('recall')).toContain('active');
			await a.transport.suspend(client.id);
			clock.advance(11 * MINUTE);
			expect((await client.request('ping')).status).toBe(404);
		});

		it('and ending it: it is unknown from then on', async () => {
			const { a, b } = await open();
			const client = await a.session();
			await a.transport.suspend(client.id);
			expect((await at(b, client).delete()).status).toBe(200);
			expect((await client.request('ping')).status).toBe(404);
		});
	});

	describe('an idle session', () => {
		it('is suspended by itself after 5 minutes, on every node', async () => {
			const nodes = await open();
			const { a, b, clock, info } = nodes;
			const client = await a.session();
			await client.ask('remember', { note: 'still here' });
			await at(b, client).ask('recall');
			expect(nodes.a.transport.stats().liveServers + nodes.b.transport.stats().liveServers).toBe(2);
			for (let minute = 0; minute < 4; minute++) clock.advance(MINUTE);
			expect(await statusIn(info, client.id)).toBe('active');
			for (let minute = 0; minute < 3; minute++) clock.advance(MINUTE);
			await eventually(() => statusIn(info, client.id)).toBe('suspended');
			await eventually(() => statsOf(nodes)).toEqual([nothing, nothing]);
			expect(await client.ask('recall')).toBe('still here active undefined');
		});

		it('is not suspended where its client listens, but its server is freed', async () => {
			const { a, clock, info } = await open();
			const client = await a.session();
			const stream = await client.get();
			await stream.event(0);
			for (let minute = 0; minute < 10; minute++) clock.advance(MINUTE);
			await eventually(() => a.transport.stats().liveServers).toBe(0);
			expect(await statusIn(info, client.id)).toBe('active');
			await a.transport.notify.toolsChanged();
			await stream.find(({ method }) => method === 'notifications/tools/list_changed');
			expect(stream.over).toBe(false);
		});

		it('is not suspended while a call runs or another node is used', async () => {
			const { arrived, go, tool } = gatedTool();
			const { a, b, clock, info } = await open({ tools: { hold: tool } });
			const [calling, elsewhere] = [await a.session(), await a.session()];
			const pending = calling.call('hold');
			await arrived.wait();
			for (let minute = 0; minute < 10; minute++) {
				clock.advance(MINUTE);
				await at(b, elsewhere).request('ping');
			}
			go.happen('done');
			expect(textOf(await (await pending).answer())).toBe('done');
			for (const { id } of [calling, elsewhere]) expect(await statusIn(info, id)).toBe('active');
		});

		it('stays in memory where the option is 0', async () => {
			const { a, clock } = await open({ suspendAfterMs: 0, idleTtlMs: 0 });
			const client = await a.session();
			await client.request('ping');
			for (let minute = 0; minute < 100; minute++) clock.advance(MINUTE);
			expect(a.transport.stats()).toMatchObject({ sessions: 1, liveServers: 1 });
		});
	});
});
