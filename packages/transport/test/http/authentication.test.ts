import type { HttpTransportOptions } from '@holdfast/transport-http';
import { describe, expect, it } from 'vitest';
import { doors } from '../../../../test/support/doors.ts';
import { initializeMessage, postHeaders, Rig } from '../../../../test/support/rig.ts';
import type { Tool } from '../../../../test/support/servers.ts';

type Authenticate = NonNullable<HttpTransportOptions['authenticate']>;
type AuthInfo = Exclude<Awaited<ReturnType<Authenticate>>, { status: number } | undefined>;

const NOW = 1_000_000;

/** Takes `Authorization: User name seconds-from-the-start`, or refuses. */
const authenticate: Authenticate = ({ header }) => {
	const [scheme, name = '', seconds] = (header('authorization') ?? '').split(' ');
	if (scheme !== 'User') return { status: 401, message: 'who are you?' };
	return userInfo(name, seconds);
};

function userInfo(name: string, seconds?: string): AuthInfo {
	return {
		token: name,
		clientId: 'app',
		scopes: ['read'],
		...(seconds !== undefined && { expiresAt: NOW / 1000 + Number(seconds) }),
		extra: { iss: 'https://issuer', sub: name, aud: 'https://server' },
	};
}

const whoami: Tool = ({ session }) => JSON.stringify({ principal: session.principal, claims: session.claims });
const call = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'whoami', arguments: {} } };

describe.each(doors)('through $name', (door) => {
	const open = (options: HttpTransportOptions = {}) => Rig.open(door, { tools: { whoami }, authenticate, ...options });

	/** Opens a session with a credential; how to use it with another. */
	async function openSession(rig: Rig, authorization: string | undefined) {
		const answer = await rig.post(initializeMessage(), { authorization });
		expect(answer.status).toBe(200);
		const id = answer.headers.get('mcp-session-id') ?? '';
		return (as: string | undefined) => rig.post(call, { 'mcp-session-id': id, authorization: as });
	}

	async function told(answer: Awaited<ReturnType<Rig['post']>>) {
		return JSON.parse((await answer.answer()).result.content[0].text);
	}

	describe('a request that is refused', () => {
		it.each(['POST', 'GET', 'DELETE', 'PUT'])(
			'with %s gets 401 and a challenge, and is not looked at',
			async (method) => {
				const rig = await open({ resourceMetadataUrl: 'https://server/.well-known/oauth-protected-resource' });
				const answer = await rig.send({ method, headers: { ...postHeaders, 'mcp-session-id': 'guess' } });
				expect(answer.status).toBe(401);
				expect(answer.headers.get('www-authenticate')).toBe(
					'Bearer resource_metadata="https://server/.well-known/oauth-protected-resource"',
				);
				expect((await answer.json()).error).toEqual({ code: -32000, message: 'Unauthorized: who are you?' });
				expect(rig.made).toEqual([]);
			},
		);

		it('hears of error and scope, in a header that nothing breaks out of', async () => {
			const refuse: Authenticate = async () => ({
				status: 403,
				error: 'insufficient_scope',
				message: 'not "you"\r\nx: y \\ ü',
				scope: 'read write',
			});
			const answer = await (await open({ authenticate: refuse })).initialize();
			expect(answer.status).toBe(403);
			expect(answer.headers.get('www-authenticate')).toBe(
				'Bearer error="insufficient_scope", error_description="not ?you???x: y ? ?", scope="read write"',
			);
		});

		it('may come again where nobody can tell now', async () => {
			const answer = await (await open({ authenticate: () => ({ status: 503, message: 'wait.' }) })).initialize();
			expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1']);
			expect(answer.headers.get('www-authenticate')).toBeNull();
		});
	});

	it('an authenticate that throws answers 500, tells the operator, and tells the client nothing', async () => {
		for (const fail of [
			() => Promise.reject(new Error('a secret')),
			() => {
				throw new Error('a secret');
			},
		]) {
			const rig = await open({ authenticate: fail });
			const answer = await rig.initialize();
			expect(answer.status).toBe(500);
			expect(await answer.text()).not.toContain('secret');
			expect(rig.errors.map(({ message }) => message)).toEqual(['a secret']);
		}
	});

	it('a preflight request needs no credential, and a page reads the challenge', async () => {
		const rig = await open();
		const origin = { origin: rig.door.origin };
		expect((await rig.send({ method: 'OPTIONS', headers: origin })).status).toBe(204);
		const refused = await rig.post(initializeMessage(), origin);
		expect(refused.status).toBe(401);
		expect(refused.headers.get('access-control-expose-headers')).toContain('WWW-Authenticate');
	});

	it('a tool reads who the session belongs to, and what the token said', async () => {
		const use = await openSession(await open(), 'User alice 60');
		expect(await told(await use('User alice 60'))).toEqual({
			principal: 'https://issuer alice',
			claims: {
				sub: 'alice',
				iss: 'https://issuer',
				scopes: ['read'],
				audiences: ['https://server'],
				exp: NOW / 1000 + 60,
			},
		});
	});

	it('no name of an issuer makes one person another', async () => {
		const named: Authenticate = ({ header }) => {
			const [iss, sub] = JSON.parse(header('authorization') ?? '[]');
			return { token: 't', clientId: 'app', scopes: [], extra: { iss, sub } };
		};
		const use = await openSession(await open({ authenticate: named }), '["a","b c"]');
		expect((await use('["a b","c"]')).status).toBe(403);
		expect((await use('["a","b c"]')).status).toBe(200);
	});

	it('a session of somebody else may look like none', async () => {
		const use = await openSession(await open({ foreignSession: 'not-found' }), 'User alice');
		const answer = await use('User bob');
		expect([answer.status, (await answer.json()).error.code]).toEqual([404, -32001]);
		expect((await use('User alice')).status).toBe(200);
	});

	describe('a session ends with its token', () => {
		it('at the latest', async () => {
			const rig = await open();
			const use = await openSession(rig, 'User alice 60');
			await rig.clock.advance(59_000);
			expect((await use('User alice 60')).status).toBe(200);
			await rig.clock.advance(1_000);
			expect((await use('User alice 60')).status).toBe(404);
		});

		it('or with the one that it was refreshed with, never with an older one', async () => {
			const rig = await open();
			const use = await openSession(rig, 'User alice 60');
			expect((await use('User alice 120')).status).toBe(200);
			expect((await use('User alice 60')).status).toBe(200);
			await rig.clock.advance(119_000);
			expect((await use('User alice 120')).status).toBe(200);
			await rig.clock.advance(1_000);
			expect((await use('User alice 120')).status).toBe(404);
		});

		it('or when it would have ended anyway', async () => {
			const rig = await open({ absoluteTtlMs: 90_000 });
			const use = await openSession(rig, 'User alice 60');
			expect((await use('User alice 3600')).status).toBe(200);
			await rig.clock.advance(89_000);
			expect((await use('User alice 3600')).status).toBe(200);
			await rig.clock.advance(1_000);
			expect((await use('User alice 3600')).status).toBe(404);
		});
	});

	describe('without an authenticate', () => {
		it('a session is bound to the credential that it was opened with', async () => {
			const rig = await Rig.open(door, { tools: { whoami } });
			const use = await openSession(rig, 'Bearer one');
			expect((await use('Bearer one')).status).toBe(200);
			for (const other of ['Bearer two', 'bearer one', undefined]) expect((await use(other)).status).toBe(403);
			const { principal } = await told(await use('Bearer one'));
			expect(principal).toMatch(/^credential:[\w-]{16}:[\w-]{43}$/);
			const again = await openSession(rig, 'Bearer one');
			expect((await told(await again('Bearer one'))).principal).not.toBe(principal);
		});

		it('and to nobody where there was none', async () => {
			const use = await openSession(await Rig.open(door, { tools: { whoami } }), undefined);
			expect((await use(undefined)).status).toBe(200);
			expect((await use('Bearer one')).status).toBe(200);
		});

		it('what says nothing of the person is bound to its token', async () => {
			const anonymous: Authenticate = ({ header }) => ({
				token: header('authorization') ?? '',
				clientId: 'one app of many people',
				scopes: [],
			});
			const use = await openSession(await open({ authenticate: anonymous }), 'Bearer one');
			expect((await use('Bearer one')).status).toBe(200);
			expect((await use('Bearer two')).status).toBe(403);
		});
	});
});
