import { InMemoryInfoSessionManager, InMemoryStreamSessionManager } from '@holdfast/session-manager';
import { ManualClock } from '@holdfast/session-manager/testing';
import { HttpTransport } from '@holdfast/transport-http';
import { describe, expect, it } from 'vitest';
import { doors, handleDoor } from '../support/doors.ts';
import { Rig } from '../support/rig.ts';
import { variantOf } from '../support/thenables.ts';
import { uncaught } from '../support/uncaught.ts';

/** Calls in the background have begun and failed by then. */
async function settle(): Promise<void> {
	for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}

const verbs = {
	info: ['create', 'read', 'update', 'touch', 'delete', 'end', 'readEnded', 'sessionsOf', 'removeExpired', 'scan'],
	subscriptions: ['addSubscription', 'removeSubscription', 'getSubscriptions', 'getSubscribedUris'],
	state: ['readState', 'listState', 'writeState'],
	streams: ['create', 'delete', 'has', 'send'],
};
const all = [...new Set(Object.values(verbs).flat())];

describe.each(doors)('through $name', (door) => {
	it.each([...all.map((verb) => [verb]), all])(
		'a manager that throws in %s, at any moment, never ends the process',
		async (...broken) => {
			const caught = uncaught();
			let isBroken = false;
			const call = (method: string, work: () => unknown) => {
				if (isBroken && broken.includes(method)) throw new Error(`${method} is out of order`);
				return work();
			};
			const clock = new ManualClock(1_000_000);
			const streams = variantOf(new InMemoryStreamSessionManager({ clock }), call);
			const info = variantOf(new InMemoryInfoSessionManager({ clock }), call);
			const rig = await Rig.open(door, {
				clock,
				sessionManager: { streams, info },
				idleTtlMs: 60_000,
				suspendAfterMs: 20_000,
				tools: { mark: async ({ session }) => String(await session.state.marks('m').add('x')) },
			});
			const client = await rig.session();
			const used = await rig.session();
			await client.request('resources/subscribe', { uri: 'a://1' });
			const stream = await client.get();
			await client.ask('mark');
			isBroken = true;
			await used.call('mark');
			await used.request('ping');
			for (const _ of Array.from({ length: 8 })) {
				clock.advance(5_000);
				await settle();
			}
			await rig.transport.notify.resourceUpdated('a://1').catch(() => {});
			stream.drop();
			const ends = [client, used].map((ended) => ended.delete());
			await settle();
			// Where other nodes cannot be told, their leases run out first.
			clock.advance(5_000);
			for (const end of ends) expect((await end).status).toBeLessThanOrEqual(503);
			for (const _ of Array.from({ length: 8 })) {
				clock.advance(60_000);
				await settle();
			}
			isBroken = false;
			const other = await rig.session();
			expect(await other.ask('echo', { text: 'still here' })).toBe('still here');
			expect(caught).toEqual([]);
			expect(rig.errors.every(({ message }) => message.endsWith('is out of order'))).toBe(true);
		},
		60_000,
	);
});

it.each([
	[
		'throws',
		() => {
			throw new Error('cannot leave');
		},
	],
	['rejects', () => Promise.reject(new Error('cannot leave'))],
])('an attachment whose detach %s is reported, and ends nothing', async (_how, detach) => {
	const caught = uncaught();
	const memory = new InMemoryStreamSessionManager();
	const streams = variantOf(memory, (method, work) =>
		method === 'create' ? { ...(work() as object), detach } : work(),
	);
	const rig = await Rig.open(handleDoor, { sessionManager: { streams } });
	const client = await rig.session();
	(await client.get()).drop();
	await client.delete();
	await settle();
	expect(caught).toEqual([]);
	expect(rig.errors.map(({ message }) => message)).toContain('cannot leave');
});

it.each([undefined, null, {}, 'server'])(
	'a transport without a function that makes servers (%j) throws TypeError',
	(createServer) => {
		const make = () => new HttpTransport(createServer as never);
		expect(make).toThrow(TypeError);
		expect(make).toThrow(/^The first argument of a transport must be a function that makes an SDK server/);
	},
);
