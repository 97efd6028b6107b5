import type { HttpTransportOptions } from '@holdfast/transport-http';
import { describe, expect, it } from 'vitest';
import { doors } from '../../../../test/support/doors.ts';
import { at, openNodes } from '../../../../test/support/nodes.ts';
import { initializeMessage, type Rig, type RigOptions, TestClient } from '../../../../test/support/rig.ts';
import type { Tool } from '../../../../test/support/servers.ts';

const MINUTE = 60_000;
const alice = 'https://issuer alice';

/** Takes the name in `Authorization: User name` for the subject. */
const authenticate: NonNullable<HttpTransportOptions['authenticate']> = ({ header }) => {
	const [, name = ''] = (header('authorization') ?? '').split(' ');
	return { token: name, clientId: 'app', scopes: ['read'], extra: { iss: 'https://issuer', sub: name } };
};

const own = {
	remember: async ({ session }) => {
		await session.state.set('text', 'a "quoted" word');
		await session.state.set('many', 18_446_744_073_709_551_615n);
		await session.state.set('bytes', new Uint8Array([0, 1, 255]));
		await session.state.set('cart', { items: [{ name: 'book', count: 2 }] });
		await session.state.set('yes', true);
		await session.state.set('half', 0.5);
		return 'kept';
	},
} satisfies Record<string, Tool>;

describe.each(doors)('the data of a person, through $name', (door) => {
	const open = (options: RigOptions = {}) =>
		openNodes(door, {
			authenticate,
			tools: own,
			keepEndedMs: 60 * MINUTE,
			idleTtlMs: 30 * MINUTE,
			unusedTtlMs: 0,
			...options,
		});

	/** Opens a session of `name`; every request of the client says so. */
	async function sessionOf(rig: Rig, name: string, client = name): Promise<TestClient> {
		const headers = { authorization: `User ${name}` };
		const answer = await rig.post(initializeMessage({ clientInfo: { name: client, version: '1' } }), headers);
		class Named extends TestClient {
			override get headers() {
				return { ...super.headers, ...headers };
			}
		}
		const { result } = await answer.answer();
		return new Named(rig, answer.headers.get('mcp-session-id') ?? '', result.protocolVersion, result);
	}

	it('is listed over all nodes and sessions, ended ones too, oldest first', async () => {
		const { a, b, clock } = await open();
		const first = await sessionOf(a, 'alice', 'one');
		clock.advance(1_000);
		const second = await sessionOf(b, 'alice', 'two');
		clock.advance(1_000);
		const third = await sessionOf(a, 'alice', 'three');
		await sessionOf(b, 'bob');
		await second.delete();
		await a.transport.suspend(third.id);
		for (const { transport } of [a, b]) {
			expect(await transport.principals.list(alice)).toEqual([
				{
					id: first.id,
					status: 'active',
					createdAt: 1_000_000,
					lastUsedAt: 1_000_000,
					expiresAt: 1_000_000 + 30 * MINUTE,
					clientInfo: { name: 'one', version: '1' },
				},
				{
					id: second.id,
					status: 'terminated',
					createdAt: 1_001_000,
					lastUsedAt: 1_001_000,
					endedAt: 1_002_000,
					reason: 'the client ended it',
					clientInfo: { name: 'two', version: '1' },
				},
				expect.objectContaining({ id: third.id, status: 'suspended' }),
			]);
			expect(await transport.principals.list('https://issuer nobody')).toEqual([]);
			expect(await transport.principals.list('alice')).toEqual([]);
		}
	});

	it('is exported as one JSON document, without what would let its reader in', async () => {
		const { a, b, clock } = await open();
		const client = await sessionOf(a, 'alice', 'the client');
		const other = await sessionOf(a, 'bob');
		await client.ask('remember');
		await client.request('resources/subscribe', { uri: 'test://thing' });
		await client.request('logging/setLevel', { level: 'error' });
		const exported = await b.transport.principals.export(alice);
		expect(JSON.parse(JSON.stringify(exported))).toEqual({
			records: [],
			principal: alice,
			exportedAt: clock.now(),
			sessions: [
				{
					status: 'active',
					createdAt: 1_000_000,
					lastUsedAt: 1_000_000,
					expiresAt: 1_000_000 + 30 * MINUTE,
					clientInfo: { name: 'the client', version: '1' },
					claims: { sub: 'alice', iss: 'https://issuer', scopes: ['read'], audiences: [] },
					protocolVersion: '2025-11-25',
					initializeParams: {
						protocolVersion: '2025-11-25',
						capabilities: {},
						clientInfo: { name: 'the client', version: '1' },
					},
					logLevel: 'error',
					subscriptions: ['test://thing'],
					state: {
						text: { type: 'string', value: 'a "quoted" word' },
						many: { type: 'bigint', value: '18446744073709551615' },
						bytes: { type: 'bytes', value: 'AAH/' },
						cart: { type: 'json', value: { items: [{ name: 'book', count: 2 }] } },
						yes: { type: 'boolean', value: true },
						half: { type: 'number', value: 0.5 },
					},
				},
			],
		});
		const text = JSON.stringify(exported);
		for (const secret of [client.id, other.id, 'bob']) expect(text).not.toContain(secret);
	});

	it('is erased: the sessions end on every node, and nothing is kept, for no audit either', async () => {
		const { a, b, info } = await open();
		const [living, ended] = [await sessionOf(a, 'alice'), await sessionOf(b, 'alice')];
		const other = await sessionOf(b, 'bob');
		await living.ask('remember');
		await ended.ask('remember');
		await ended.delete();
		const stream = await at(b, living).rig.send({
			method: 'GET',
			headers: { accept: 'text/event-stream', ...living.headers },
		});
		await stream.event(0);
		expect(await a.transport.principals.erase(alice)).toBe(2);
		await stream.ended();
		expect(a.made[0]?.signal.reason).toBe('erased');
		for (const { id } of [living, ended]) {
			expect(await info.read(id)).toBeUndefined();
			expect(await info.readEnded(id)).toBeUndefined();
			expect((await info.listState(id)).size).toBe(0);
		}
		expect(await b.transport.principals.list(alice)).toEqual([]);
		expect(await b.transport.principals.export(alice)).toMatchObject({ sessions: [] });
		expect((await living.request('ping')).status).toBe(404);
		expect((await other.request('ping')).status).toBe(200);
		expect(await b.transport.principals.erase(alice)).toBe(0);
	});
});
