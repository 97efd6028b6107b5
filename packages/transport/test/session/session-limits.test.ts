import { InMemoryInfoSessionManager, InMemoryStreamSessionManager } from '@holdfast/session-manager';
import { ManualClock } from '@holdfast/session-manager/testing';
import { ownerOf } from '@holdfast/transport/internal';
import type { HttpTransportOptions } from '@holdfast/transport-http';
import { describe, expect, it } from 'vitest';
import { doors } from '../../../../test/support/doors.ts';
import { openNodes } from '../../../../test/support/nodes.ts';
import { initializeMessage, Rig, type RigOptions } from '../../../../test/support/rig.ts';

const MINUTE = 60_000;
type Authenticate = NonNullable<HttpTransportOptions['authenticate']>;

/** Takes the name in `Authorization: User name` for the subject; without it the sender is anonymous. */
const authenticate: Authenticate = ({ header }) => {
	const [scheme, name] = (header('authorization') ?? '').split(' ');
	if (scheme !== 'User' || name === undefined) return undefined;
	return { token: name, clientId: 'app', scopes: [], extra: { iss: 'https://issuer', sub: name } };
};

function initializeAs(rig: Rig, name: string | undefined) {
	return rig.post(initializeMessage(), { authorization: name && `User ${name}` });
}

/** Opens `count` sessions one after another; the statuses. */
async function openSessions(rig: Rig, name: string | undefined, count: number): Promise<number[]> {
	const statuses: number[] = [];
	for (let n = 0; n < count; n++) statuses.push((await initializeAs(rig, name)).status);
	return statuses;
}

function ping(rig: Rig, id: string | null, name: string) {
	return rig.post(
		{ jsonrpc: '2.0', id: 1, method: 'ping' },
		{ 'mcp-session-id': id ?? '', authorization: `User ${name}` },
	);
}

describe.each(doors)('through $name', (door) => {
	const open = (options: RigOptions = {}) => openNodes(door, { authenticate, tooManySessions: 'refuse', ...options });

	describe('sessions of one principal', () => {
		it('are bounded over all nodes: 429, a reason, and no live server that stays', async () => {
			const { a, b } = await open({ maxSessionsPerPrincipal: 3 });
			expect([...(await openSessions(a, 'alice', 2)), ...(await openSessions(b, 'alice', 1))]).toEqual([200, 200, 200]);
			for (const node of [a, b]) {
				const refused = await initializeAs(node, 'alice');
				expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '1']);
				expect(refused.headers.get('mcp-session-id')).toBeNull();
				expect((await refused.json()).error).toMatchObject({
					code: -32000,
					message: expect.stringMatching(/^Too Many Requests: .*principal/),
				});
			}
			expect(a.transport.stats().liveServers + b.transport.stats().liveServers).toBe(3);
			expect(await openSessions(b, 'bob', 1)).toEqual([200]);
			expect(await openSessions(b, undefined, 5)).toEqual([200, 200, 200, 200, 200]);
		});

		it('are 100 where no option says otherwise, and any number where it is 0', async () => {
			const { a } = await open();
			const statuses = await openSessions(a, 'alice', 101);
			expect(statuses.filter((status) => status === 200)).toHaveLength(100);
			expect(statuses.at(-1)).toBe(429);
			const { a: kind, info } = await openNodes(door, { authenticate });
			expect(new Set(await openSessions(kind, 'alice', 103))).toEqual(new Set([200]));
			expect(await info.sessionsOf('https://issuer alice')).toHaveLength(100);
			const unbounded = await open({ maxSessionsPerPrincipal: 0 });
			expect(new Set(await openSessions(unbounded.a, 'alice', 120))).toEqual(new Set([200]));
		});

		it('count only while they live: an end, an expiry and an erasure make room', async () => {
			const { a, b, clock } = await open({
				maxSessionsPerPrincipal: 1,
				idleTtlMs: 10 * MINUTE,
				keepEndedMs: 60 * MINUTE,
			});
			const first = (await initializeAs(a, 'alice')).headers.get('mcp-session-id') ?? '';
			expect(await openSessions(b, 'alice', 1)).toEqual([429]);
			await a.transport.terminate(first, 'enough');
			expect(await openSessions(b, 'alice', 2)).toEqual([200, 429]);
			clock.advance(11 * MINUTE);
			expect(await openSessions(a, 'alice', 2)).toEqual([200, 429]);
			await b.transport.principals.erase('https://issuer alice');
			expect(await openSessions(a, 'alice', 2)).toEqual([200, 429]);
		});

		it('are never too many, however many open them at once', async () => {
			const { a, b } = await open({ maxSessionsPerPrincipal: 5 });
			const answers = await Promise.all(Array.from({ length: 30 }, (_, n) => initializeAs(n % 2 ? a : b, 'alice')));
			expect(answers.filter(({ status }) => status === 200)).toHaveLength(5);
			expect(answers.filter(({ status }) => status === 429)).toHaveLength(25);
		});

		it('make room by themselves where no option says otherwise: the one unused longest ends, everywhere', async () => {
			const { a, b, clock, info } = await openNodes(door, {
				authenticate,
				maxSessionsPerPrincipal: 2,
				keepEndedMs: MINUTE,
			});
			const ids: string[] = [];
			for (const node of [a, b]) ids.push((await initializeAs(node, 'alice')).headers.get('mcp-session-id') ?? '');
			// The first is used, so the second is the one that was unused longest.
			clock.advance(2 * MINUTE);
			expect((await ping(b, ids[0] ?? '', 'alice')).status).toBe(200);
			ids.push((await initializeAs(a, 'alice')).headers.get('mcp-session-id') ?? '');
			const statuses = await Promise.all(ids.map(async (id) => (await ping(b, id, 'alice')).status));
			expect(statuses).toEqual([200, 404, 200]);
			expect(await info.readEnded(ids[1] ?? '')).toMatchObject({ reason: 'a newer session took its place' });
		});

		it('make room also for many at once, and are never too many', async () => {
			const { a, b, info } = await open({ maxSessionsPerPrincipal: 3, tooManySessions: 'end-oldest' });
			const answers = await Promise.all(Array.from({ length: 12 }, (_, n) => initializeAs(n % 2 ? a : b, 'alice')));
			expect(answers.every(({ status }) => status === 200 || status === 429)).toBe(true);
			expect(answers.some(({ status }) => status === 200)).toBe(true);
			expect((await info.sessionsOf('https://issuer alice')).length).toBeLessThanOrEqual(3);
		});
	});

	describe('sessions in all', () => {
		it('are bounded by the store: 429 for whoever opens one too many', async () => {
			const clock = new ManualClock(1_000_000);
			await using info = new InMemoryInfoSessionManager({ clock, maxSessions: 2 });
			const rig = await Rig.open(door, { clock, sessionManager: { info }, fullStore: 'refuse' });
			expect(await openSessions(rig, undefined, 3)).toEqual([200, 200, 429]);
			expect(rig.transport.stats()).toMatchObject({ sessions: 2, liveServers: 2 });
		});
	});

	describe('a full store', () => {
		const openFull = async (maxSessions: number, options: RigOptions = {}) => {
			const clock = new ManualClock(1_000_000);
			const info = new InMemoryInfoSessionManager({ clock, maxSessions });
			const streams = new InMemoryStreamSessionManager({ clock });
			const shared = { authenticate, clock, sessionManager: { info, streams }, ...options };
			return { a: await Rig.open(door, shared), b: await Rig.open(door, shared), clock, info };
		};
		const idOf = async (rig: Rig, name?: string) => (await initializeAs(rig, name)).headers.get('mcp-session-id') ?? '';

		it('ends the session that was unused longest for a new one, on every node', async () => {
			const { a, b, clock } = await openFull(3);
			const ids: string[] = [];
			for (const node of [a, b, a]) ids.push(await idOf(node));
			clock.advance(2 * MINUTE);
			expect((await ping(a, ids[0] ?? '', 'anybody')).status).toBe(200);
			ids.push(await idOf(b));
			const statuses = await Promise.all(ids.map(async (id) => (await ping(b, id, 'anybody')).status));
			expect(statuses).toEqual([200, 404, 200, 200]);
		});

		it('takes from one principal that floods it, not from others', async () => {
			const { a, b, info } = await openFull(10, { maxSessionsPerPrincipal: 0 });
			const others = [await idOf(a, 'alice'), await idOf(b)];
			expect(await openSessions(a, 'mallory', 30)).toEqual(Array(30).fill(200));
			for (const id of others) expect(info.read(id)).toBeDefined();
			others.push(await idOf(b, 'bob'));
			for (const id of others) expect(info.read(id)).toBeDefined();
		});

		it('takes from the anonymous before it takes from a principal', async () => {
			const { a, b, info } = await openFull(3);
			const alice = await idOf(a, 'alice');
			expect(await openSessions(b, undefined, 10)).toEqual(Array(10).fill(200));
			expect(await openSessions(a, 'bob', 1)).toEqual([200]);
			expect(info.read(alice)).toBeDefined();
			expect((await ping(b, alice, 'alice')).status).toBe(200);
		});

		it('takes from all at once that many open sessions, and never has more than it may', async () => {
			const { a, b, info } = await openFull(5);
			const answers = await Promise.all(Array.from({ length: 30 }, (_, n) => initializeAs(n % 2 ? a : b, undefined)));
			expect(answers.map(({ status }) => status)).toEqual(Array(30).fill(200));
			expect(info.stats().sessions).toBe(5);
		});
	});

	describe('how often sessions are opened', () => {
		it('is bounded for a principal on each node, and comes back with time', async () => {
			const { a, clock } = await open({ maxNewSessionsPerPrincipalPerMinute: 6, maxSessionsPerPrincipal: 0 });
			expect(await openSessions(a, 'alice', 7)).toEqual([200, 200, 200, 200, 200, 200, 429]);
			expect(await openSessions(a, 'bob', 1)).toEqual([200]);
			expect(await openSessions(a, undefined, 10)).toEqual(Array(10).fill(200));
			clock.advance(10_000);
			expect(await openSessions(a, 'alice', 2)).toEqual([200, 429]);
			clock.advance(60 * MINUTE);
			expect(await openSessions(a, 'alice', 7)).toEqual([200, 200, 200, 200, 200, 200, 429]);
		});

		it('counts those that were refused later, and makes no server for one too many', async () => {
			const { a } = await open({ maxNewSessionsPerPrincipalPerMinute: 2, maxSessionsPerPrincipal: 1 });
			expect(await openSessions(a, 'alice', 4)).toEqual([200, 429, 429, 429]);
			expect(a.made).toHaveLength(2);
		});
	});
});

describe('how often sessions are opened from one address, through handle', () => {
	const [handle] = doors;
	it('is told by the address; of IPv6 by its network', () => {
		const network = (address: string) => ownerOf({ address, header: () => undefined } as never).address;
		expect(['203.0.113.7', '::ffff:203.0.113.7'].map(network)).toEqual(['203.0.113.7', '203.0.113.7']);
		expect(['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::9', '2001:db8::1', '::1'].map(network)).toEqual([
			'2001:db8:1:2::/64',
			'2001:db8:1:2::/64',
			'2001:db8:0:0::/64',
			'0:0:0:0::/64',
		]);
	});

	it('is bounded where the option says so, for those without a verified principal', async () => {
		if (handle === undefined) throw new Error('There is no such door.');
		const { a, clock } = await openNodes(handle, { authenticate, maxNewSessionsPerAddressPerMinute: 2 });
		expect(await openSessions(a, undefined, 3)).toEqual([200, 200, 429]);
		expect((await a.post(initializeMessage(), { authorization: 'Bearer unknown-to-anyone' })).status).toBe(429);
		expect(await openSessions(a, 'alice', 5)).toEqual(Array(5).fill(200));
		clock.advance(30_000);
		expect(await openSessions(a, undefined, 2)).toEqual([200, 429]);
	});
});
