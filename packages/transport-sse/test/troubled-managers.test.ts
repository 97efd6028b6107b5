import { InMemoryInfoSessionManager, InMemoryStreamSessionManager } from '@holdfast/session-manager';
import { ManualClock } from '@holdfast/session-manager/testing';
import { describe, expect, it } from 'vitest';
import { settle } from '../../../test/support/deadline.ts';
import { doors } from '../../../test/support/doors.ts';
import { initializeMessage } from '../../../test/support/rig.ts';
import { flavours, variantOf } from '../../../test/support/thenables.ts';
import { uncaught } from '../../../test/support/uncaught.ts';
import { SseRig } from './support/sse-rig.ts';

const verbs = {
	info: ['create', 'read', 'update', 'touch', 'delete', 'end', 'sessionsOf', 'removeExpired', 'getSubscriptions'],
	streams: ['create', 'delete', 'has', 'send'],
};
const all = [...new Set(Object.values(verbs).flat())];

describe.each(doors)('through $name', (door) => {
	it.each([...all.map((verb) => [verb]), all])(
		'a manager that throws in %s, at any moment, never ends the process, and all goes on after it',
		async (...broken) => {
			const caught = uncaught();
			let isBroken = false;
			const call = (method: string, work: () => unknown) => {
				if (isBroken && broken.includes(method)) throw new Error(`${method} is out of order`);
				return work();
			};
			const clock = new ManualClock(1_000_000);
			const rig = await SseRig.open(door, {
				clock,
				sessionManager: {
					streams: variantOf(new InMemoryStreamSessionManager({ clock }), call),
					info: variantOf(new InMemoryInfoSessionManager({ clock }), call),
				},
				graceMs: 20_000,
			});
			const client = await rig.session();
			const opening = await rig.open();
			const leaving = await rig.session();
			isBroken = true;
			for (const { endpoint } of [client, opening]) {
				for (const method of ['ping', 'tools/list', 'resources/subscribe']) {
					const request = { jsonrpc: '2.0', id: method, method, params: { uri: 'a://1' } };
					expect([202, 400, 404, 500]).toContain((await rig.post(endpoint, request)).status);
				}
			}
			await rig.post(opening.endpoint, initializeMessage());
			await rig.get().catch(() => {});
			leaving.stream.drop();
			await rig.transport.notify.toolsChanged().catch(() => {});
			await settle();
			await rig.advance(30_000);
			isBroken = false;
			const other = await rig.session();
			expect(await other.ask('echo', { text: 'still here' })).toBe('still here');
			await rig.advance(60_000);
			expect(await other.ask('echo', { text: 'and later' })).toBe('and later');
			expect(caught).toEqual([]);
			expect(rig.errors.filter(({ message }) => !message.endsWith('is out of order'))).toEqual([]);
		},
	);

	it.each(flavours)(
		'managers that answer with $name serve sessions, and let nobody in whom nobody knows',
		async ({ later }) => {
			const clock = new ManualClock(1_000_000);
			const rig = await SseRig.open(door, {
				clock,
				sessionManager: {
					streams: variantOf(new InMemoryStreamSessionManager({ clock }), (_method, work) => later(work)),
					info: variantOf(new InMemoryInfoSessionManager({ clock }), (_method, work) => later(work)),
				},
			});
			const client = await rig.session();
			expect(await client.ask('echo', { text: 'x' })).toBe('x');
			expect(await client.ask('log', { count: 2 })).toBe('logged');
			const returning = await rig.open();
			expect(await returning.ask('echo', { text: 'y' })).toBe('y');
			const made = await rig.post('/messages?sessionId=made-up-by-me', { jsonrpc: '2.0', id: 1, method: 'ping' });
			expect(made.status).toBe(404);
			await rig.transport.terminate(client.id, 'enough');
			await expect(client.call('echo')).rejects.toThrow('404');
			expect(rig.errors).toEqual([]);
		},
	);
});
