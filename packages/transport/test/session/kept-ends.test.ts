import { describe, expect, it } from 'vitest';
import { doors } from '../../../../test/support/doors.ts';
import { eventually } from '../../../../test/support/eventually.ts';
import { at, openNodes } from '../../../../test/support/nodes.ts';
import type { RigOptions } from '../../../../test/support/rig.ts';
import type { Tool } from '../../../../test/support/servers.ts';

const MINUTE = 60_000;

const own = {
	remember: async ({ session, args }) => {
		await session.state.set('note', String(args['note']));
		return 'kept';
	},
	mark: async ({ session }) => String(await session.state.marks('sent').add('x')),
	end: async ({ session }) => {
		await session.terminate('the tool said so');
		return 'over';
	},
} satisfies Record<string, Tool>;

describe.each(doors)('what is kept of an ended session, through $name', (door) => {
	const open = (options: RigOptions = {}) =>
		openNodes(door, { keepEndedMs: 60 * MINUTE, idleTtlMs: 10 * MINUTE, tools: own, ...options });

	it('is record, state, time and reason, for as long as the option says; then nothing', async () => {
		const { a, b, info, clock } = await open();
		const client = await a.session({ clientInfo: { name: 'audited', version: '1' } });
		await client.ask('remember', { note: 'evidence' });
		clock.advance(MINUTE);
		const endedAt = clock.now();
		expect((await at(b, client).delete()).status).toBe(200);
		expect((await client.request('ping')).status).toBe(404);
		expect(await info.read(client.id)).toBeUndefined();
		expect(await info.readEnded(client.id)).toMatchObject({
			endedAt,
			reason: 'the client ended it',
			record: { id: client.id, initializeParams: { clientInfo: { name: 'audited' } } },
		});
		expect([...(await info.listState(client.id)).keys()]).toEqual(['note']);
		clock.advance(59 * MINUTE);
		expect(await info.readEnded(client.id)).toBeDefined();
		clock.advance(2 * MINUTE);
		expect(await info.readEnded(client.id)).toBeUndefined();
		expect((await info.listState(client.id)).size).toBe(0);
	});

	it.each([
		['by its client', 'the client ended it', (client: Client) => client.delete()],
		['by a message', 'bye', (client: Client) => client.request('session/terminate', { reason: 'bye' })],
		['by a tool', 'the tool said so', (client: Client) => client.ask('end')],
		['by an operator', 'maintenance', (client: Client) => client.rig.transport.terminate(client.id, 'maintenance')],
	])('says why, where it was ended %s', async (_, reason, end) => {
		const { a, info } = await open();
		const client = await a.session();
		await end(client);
		expect(await info.readEnded(client.id)).toMatchObject({ reason });
	});

	it('says that it expired, and when', async () => {
		const { a, info, clock } = await open();
		const client = await a.session();
		const expiresAt = clock.now() + 10 * MINUTE;
		clock.advance(15 * MINUTE);
		expect((await client.request('ping')).status).toBe(404);
		expect(await info.readEnded(client.id)).toMatchObject({ reason: 'expired', endedAt: expiresAt });
	});

	it('has what was waiting to be written', async () => {
		const { a, b, info } = await open();
		const client = await a.session();
		await client.ask('mark');
		await client.ask('end');
		expect([...(await info.listState(client.id)).keys()]).toEqual(['sent']);
		expect((await at(b, client).request('ping')).status).toBe(404);
	});

	it('cannot be written, subscribed or brought back to life', async () => {
		const { a, b, info } = await open();
		const client = await a.session();
		const [session] = a.made;
		await client.delete();
		await expect(Promise.resolve(session?.state.set('late', 1))).rejects.toMatchObject({ code: 'no-such-session' });
		expect(await info.addSubscription(client.id, 'test://x')).toBe(false);
		expect(await info.update(client.id, { status: 'active' })).toBe(false);
		expect(await info.touch(client.id, 2_000_000)).toBe(false);
		expect((await at(b, client).request('ping')).status).toBe(404);
		expect((await info.listState(client.id)).size).toBe(0);
	});

	it('is nothing where the option is 0, as it is by default', async () => {
		const { a, info } = await open({ keepEndedMs: 0 });
		const client = await a.session();
		await client.ask('remember', { note: 'gone' });
		await client.delete();
		expect(await info.readEnded(client.id)).toBeUndefined();
		expect((await info.listState(client.id)).size).toBe(0);
	});

	it('ends once: the first reason stays', async () => {
		const { a, b, info } = await open();
		const client = await a.session();
		await Promise.all([a.transport.terminate(client.id, 'one'), b.transport.terminate(client.id, 'other')]);
		const first = (await info.readEnded(client.id))?.reason;
		await a.transport.terminate(client.id, 'again');
		expect(['one', 'other']).toContain(first);
		expect((await info.readEnded(client.id))?.reason).toBe(first);
		await eventually(() => a.transport.stats().sessions + b.transport.stats().sessions).toBe(0);
	});
});

type Client = Awaited<ReturnType<Awaited<ReturnType<typeof openNodes>>['a']['session']>>;
