import { InMemoryInfoSessionManager } from '@holdfast/session-manager';
import { ManualClock } from '@holdfast/session-manager/testing';
import { describe, expect, it } from 'vitest';
import type { WireResponse } from '../../../test/support/clients/wire-response.ts';
import { doors, handleDoor } from '../../../test/support/doors.ts';
import { eventually } from '../../../test/support/eventually.ts';
import { openSseNodes } from './support/sse-nodes.ts';
import { SseRig } from './support/sse-rig.ts';

/** Everybody says who they are: `Bearer subject`. */
const named = {
	authenticate({ header }: { header(name: string): string | undefined }) {
		const sub = header('authorization')?.slice('Bearer '.length);
		if (sub === undefined) return undefined;
		return { token: sub, clientId: 'app', scopes: [], extra: { iss: 'https://issuer', sub } };
	},
};
const alice = { authorization: 'Bearer alice' };
const bob = { authorization: 'Bearer bob' };

async function expectTooMany(refused: WireResponse): Promise<void> {
	expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '1']);
	expect(await refused.json()).toMatchObject({ jsonrpc: '2.0', id: null, error: { code: -32000 } });
}

describe.each(doors)('one principal, through $name,', (door) => {
	it('has no more sessions than it may, over all nodes; one that ended makes room', async () => {
		const { a, b } = await openSseNodes(door, {
			...named,
			maxSessionsPerPrincipal: 2,
			tooManySessions: 'refuse',
			graceMs: 20_000,
		});
		const first = await a.session({}, alice);
		await b.open(alice);
		for (const node of [a, b]) await expectTooMany(await node.get(alice));
		expect((await b.get(bob)).status).toBe(200);
		expect(first.stream.over).toBe(false);
		first.stream.drop();
		await eventually(() => a.transport.stats().connections).toBe(0);
		await a.advance(30_000);
		expect((await b.get(alice)).status).toBe(200);
		expect([...a.errors, ...b.errors]).toEqual([]);
	});

	it('loses the session that was unused longest where no option says otherwise, and its client learns it by the end of its stream', async () => {
		const { a, b } = await openSseNodes(door, {
			...named,
			maxSessionsPerPrincipal: 1,
		});
		const oldest = await a.session({}, alice);
		const newest = await b.session({}, alice);
		a.clock.advance(100);
		await oldest.stream.ended();
		expect((await oldest.notify('notifications/x')).status).toBe(404);
		expect(await newest.ask('echo', { text: 'x' })).toBe('x');
	});

	it('opens no more sessions in a minute than it may', async () => {
		const rig = await SseRig.open(door, { ...named, maxNewSessionsPerPrincipalPerMinute: 2 });
		for (let n = 0; n < 2; n++) expect((await rig.get(alice)).status).toBe(200);
		await expectTooMany(await rig.get(alice));
		expect((await rig.get(bob)).status).toBe(200);
		rig.clock.advance(30_000);
		expect((await rig.get(alice)).status).toBe(200);
	});

	it('can have all that is stored about it listed and exported; where that is erased, its streams close', async () => {
		const { a, b } = await openSseNodes(door, named);
		const [client, other] = [await a.session({}, alice), await a.session({}, bob)];
		const { principals } = b.transport;
		expect(await principals.list('https://issuer alice')).toMatchObject([{ id: client.id, status: 'active' }]);
		expect(await principals.export('https://issuer alice')).toMatchObject({
			sessions: [{ protocolVersion: '2024-11-05', initializeParams: { clientInfo: { name: 'test-client' } } }],
		});
		expect(await principals.erase('https://issuer alice')).toBe(1);
		await client.stream.ended();
		expect((await client.notify('notifications/x')).status).toBe(404);
		expect(await principals.list('https://issuer alice')).toEqual([]);
		expect(await other.ask('echo', { text: 'x' })).toBe('x');
	});
});

it('all clients together have no more sessions than the store takes', async () => {
	const clock = new ManualClock(1_000_000);
	const info = new InMemoryInfoSessionManager({ clock, maxSessions: 1 });
	const rig = await SseRig.open(handleDoor, { clock, sessionManager: { info }, fullStore: 'refuse' });
	const { stream } = await rig.open();
	await expectTooMany(await rig.get());
	stream.drop();
	await eventually(() => rig.transport.stats().sessions).toBe(0);
	expect((await rig.get()).status).toBe(200);
});

it('one address opens no more sessions in a minute than it may', async () => {
	const rig = await SseRig.open(handleDoor, { ...named, maxNewSessionsPerAddressPerMinute: 1 });
	expect((await rig.get()).status).toBe(200);
	await expectTooMany(await rig.get());
	expect((await rig.get(alice)).status).toBe(200);
	expect(rig.transport.stats()).toMatchObject({ sessions: 2, connections: 2 });
});
