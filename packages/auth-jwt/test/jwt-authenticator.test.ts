import { createHmac } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ManualClock } from '@holdfast/session-manager/testing';
import type { AuthInfo, AuthRefusal } from '@holdfast/transport';
import { CompactSign, type CryptoKey, exportJWK, exportSPKI, generateKeyPair, type JWK, SignJWT } from 'jose';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type JwtOptions, jwtAuthenticator } from '../src/index.ts';

const secret = 'thirty-two bytes, and then some more';
const issuer = 'https://issuer.example';
const audience = 'https://server.example/mcp';
/** The second that the clock of every test shows at first. */
const NOW = 1_800_000_000;
const rsa = await generateKeyPair('RS256', { extractable: true });
const pem = await exportSPKI(rsa.publicKey);

type Claims = Record<string, unknown>;
const good: Claims = { iss: issuer, sub: 'alice', aud: audience, iat: NOW - 10, exp: NOW + 600, scope: 'read write' };

function sign(claims: Claims, key: CryptoKey | string = secret, alg = 'HS256', kid?: string): Promise<string> {
	return new SignJWT(claims)
		.setProtectedHeader({ alg, ...(kid !== undefined && { kid }) })
		.sign(typeof key === 'string' ? new TextEncoder().encode(key) : key);
}

const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** An authenticator, and a way to ask it. */
function open(options: Partial<JwtOptions> = {}) {
	const clock = new ManualClock(NOW * 1000);
	const keys = options.publicKey === undefined && options.jwksUrl === undefined ? { secret } : {};
	const authenticate = jwtAuthenticator({ issuer, audience, clock, ...keys, ...options });
	const ask = async (authorization: string | undefined): Promise<AuthInfo | AuthRefusal | undefined> =>
		authenticate({ method: 'POST', header: (name) => (name === 'authorization' ? authorization : undefined) });
	return { clock, ask, show: async (token: Promise<string> | string) => ask(`Bearer ${await token}`) };
}

const invalid = { status: 401, error: 'invalid_token', message: 'the token is not valid here.' };
const expired = { status: 401, error: 'invalid_token', message: 'the token has expired.' };

describe('a token', () => {
	test('that is good tells who asks', async () => {
		const token = await sign({ ...good, client_id: 'app' });
		expect(await open().show(token)).toEqual({
			token,
			clientId: 'app',
			scopes: ['read', 'write'],
			expiresAt: NOW + 600,
			extra: { iss: issuer, sub: 'alice', aud: audience, iat: NOW - 10 },
		});
	});

	test.each<[string, Claims]>([
		['of another issuer', { iss: 'https://other.example' }],
		['of no issuer', { iss: undefined }],
		['for another server', { aud: 'https://other.example' }],
		['for no server', { aud: undefined }],
		['of nobody', { sub: undefined }],
		['of somebody without a name', { sub: '' }],
		['of somebody whose name is half a character', { sub: 'alice\ud800' }],
		['that is not valid yet', { nbf: NOW + 60 }],
		['that never ends', { exp: undefined }],
		['with an end that is no number', { exp: 'never' }],
	])('%s is refused', async (_, change) => {
		expect(await open().show(sign({ ...good, ...change }))).toEqual(invalid);
	});

	test.each(['sub', 'iss', 'aud', 'exp', 'nbf', 'iat'])(
		'whose %s has another type is refused, and never served',
		async (claim) => {
			const wrong = [null, true, {}, [], [{}], ['a', 1], claim === 'sub' || claim === 'iss' ? 7 : 'seven', ''];
			const { show } = open({ issuer: 'any', audience: 'any', requireExpiry: false });
			for (const value of wrong) {
				if (claim === 'aud' && Array.isArray(value) && value.length === 0) continue;
				if (claim === 'aud' && value === 'seven') continue;
				expect(await show(sign({ ...good, [claim]: value })), JSON.stringify(value)).toMatchObject({ status: 401 });
			}
		},
	);

	test('that ends at infinity, as JSON can spell it, is refused', async () => {
		const payload = JSON.stringify({ ...good, exp: 0 }).replace('"exp":0', '"exp":1e999');
		const token = new CompactSign(new TextEncoder().encode(payload)).setProtectedHeader({ alg: 'HS256' });
		expect(await open().show(token.sign(new TextEncoder().encode(secret)))).toEqual(invalid);
	});

	test('for several servers is good where this is one of them', async () => {
		const { show } = open();
		expect(await show(sign({ ...good, aud: ['https://other.example', audience] }))).toMatchObject({
			clientId: 'alice',
		});
		expect(await show(sign({ ...good, aud: ['https://other.example'] }))).toEqual(invalid);
		expect(await show(sign({ ...good, aud: [[audience]] }))).toEqual(invalid);
	});

	test.each<[string, Record<string, unknown>]>([
		['that names an extension which must be understood', { alg: 'HS256', crit: ['exp'], exp: 1 }],
		['whose list of extensions is empty', { alg: 'HS256', crit: [] }],
		['of the algorithm None', { alg: 'None' }],
		['of no algorithm', {}],
		['whose algorithm is a list', { alg: ['HS256'] }],
	])('%s is refused', async (_, header) => {
		const input = `${part(header)}.${part(good)}`;
		const signature = createHmac('sha256', secret).update(input).digest('base64url');
		expect(await open().show(`${input}.${signature}`)).toEqual(invalid);
	});

	test('signed with the public key as if that were a secret is refused', async () => {
		expect(await open({ publicKey: pem }).show(sign(good, pem))).toEqual(invalid);
	});

	test.each(['', '../../dev/null', "' or 1=1", '0'])('cannot choose its key by the name %j', async (kid) => {
		expect(await open().show(sign(good, 'x'.repeat(32), 'HS256', kid))).toEqual(invalid);
	});

	test.each<[string, () => Promise<string>]>([
		['signed with another secret', () => sign(good, `${secret}!`)],
		['of another algorithm', () => sign(good, secret, 'HS512')],
		['that nobody signed', async () => `${part({ alg: 'none' })}.${part(good)}.`],
		[
			'whose claims were changed',
			async () => (await sign(good)).replace(/\.[^.]+\./, `.${part({ ...good, sub: 'bob' })}.`),
		],
		['of two parts', async () => 'a.b'],
		['that is no token', async () => 'x'],
	])('%s is refused', async (_, make) => {
		expect(await open().show(make())).toEqual(invalid);
	});

	test('is good for five seconds after its end, for clocks that differ, and not longer, seen before or not', async () => {
		const { clock, show } = open();
		const [seen, other] = [await sign(good), await sign({ ...good, sub: 'bob' })];
		expect(await show(seen)).toMatchObject({ extra: { sub: 'alice' } });
		await clock.advance(604_000);
		expect(await show(seen)).toMatchObject({ extra: { sub: 'alice' } });
		expect(await show(other)).toMatchObject({ extra: { sub: 'bob' } });
		await clock.advance(1_000);
		expect(await show(seen)).toEqual(expired);
		expect(await show(other)).toEqual(expired);
	});

	test('may have scopes as a list, and needs those that are required', async () => {
		const { show } = open({ requiredScopes: ['read', 'admin'] });
		expect(await show(sign({ ...good, scope: undefined, scp: ['read', 'admin'] }))).toMatchObject({
			scopes: ['read', 'admin'],
		});
		expect(await show(sign(good))).toMatchObject({ status: 403, error: 'insufficient_scope', scope: 'read admin' });
		expect(await show(sign({ ...good, scope: 'admins readers' }))).toMatchObject({ status: 403 });
	});

	test('may come from any of several issuers, for any of several servers', async () => {
		const { show } = open({ issuer: ['https://a.example', issuer], audience: [audience, 'https://b.example'] });
		expect(await show(sign(good))).toMatchObject({ extra: { sub: 'alice' } });
		const { show: showAny } = open({ issuer: 'any', audience: 'any', requireExpiry: false });
		expect(await showAny(sign({ sub: 'alice' }))).toMatchObject({ clientId: 'alice', scopes: [] });
	});
});

describe('a request', () => {
	test.each([undefined, '', 'Bearer', 'Bearer ', 'Basic YTpi', 'Bearer a b', 'Bearer a,b'])(
		'with Authorization %j shows no token',
		async (header) => {
			const refusal = { status: 401, message: 'a bearer token is required.' };
			expect(await open().ask(header)).toEqual(refusal);
			expect(await open({ allowAnonymous: true }).ask(header)).toEqual(header === undefined ? undefined : refusal);
		},
	);

	test('may write the scheme in any case', async () => {
		expect(await open().ask(`bEARER  ${await sign(good)}`)).toMatchObject({ extra: { sub: 'alice' } });
	});
});

describe('a secret', () => {
	test.each<[string, string | Uint8Array]>([
		['one byte', 'x'],
		['31 bytes', 'x'.repeat(31)],
		['31 bytes that are no text', new Uint8Array(31)],
		['no bytes', new Uint8Array()],
	])('of %s is no secret', (_, short) => {
		expect(() => jwtAuthenticator({ issuer, audience, secret: short })).toThrow(
			new TypeError(`The option secret must have at least 32 bytes, as random as can be; it has ${short.length}.`),
		);
	});

	test('is measured in bytes, not in characters', () => {
		expect(() => jwtAuthenticator({ issuer, audience, secret: 'ü'.repeat(16) })).not.toThrow();
	});
});

describe('with a public key', () => {
	test('its own tokens count, and none that were signed with the key as a secret', async () => {
		const { show } = open({ publicKey: pem });
		expect(await show(sign(good, rsa.privateKey, 'RS256'))).toMatchObject({ extra: { sub: 'alice' } });
		expect(await show(sign(good, pem, 'HS256'))).toEqual(invalid);
		const ec = await generateKeyPair('ES256');
		expect(await show(sign(good, ec.privateKey, 'ES256'))).toEqual(invalid);
	});
});

describe('with a key set', () => {
	test('keys are fetched once, again for a key that is new, and their absence is nobody’s fault', async () => {
		const next = await generateKeyPair('ES256');
		const keys: JWK[] = [{ ...(await exportJWK(rsa.publicKey)), kid: 'one', alg: 'RS256' }];
		const issuerServer = await serveKeys(keys);
		const { show } = open({ jwksUrl: issuerServer.url });
		issuerServer.status = 500;
		const unknown = { status: 503, message: 'the keys that verify tokens cannot be fetched.' };
		expect(await show(sign(good, rsa.privateKey, 'RS256', 'one'))).toEqual(unknown);
		issuerServer.status = 200;
		expect(await show(sign(good, rsa.privateKey, 'RS256', 'one'))).toMatchObject({ extra: { sub: 'alice' } });
		const { asked } = issuerServer;
		expect(await show(sign({ ...good, sub: 'bob' }, rsa.privateKey, 'RS256', 'one'))).toMatchObject({
			extra: { sub: 'bob' },
		});
		expect(issuerServer.asked).toBe(asked);
		expect(await show(sign(good, next.privateKey, 'ES256', 'two'))).toEqual(invalid);
		const later = open({ jwksUrl: issuerServer.url });
		keys.push({ ...(await exportJWK(next.publicKey)), kid: 'two', alg: 'ES256' });
		expect(await later.show(sign(good, next.privateKey, 'ES256', 'two'))).toMatchObject({ extra: { sub: 'alice' } });
	});

	test('a token that names no key may be signed with any of them', async () => {
		const other = await generateKeyPair('RS256', { extractable: true });
		const { url } = await serveKeys([await exportJWK(other.publicKey), await exportJWK(rsa.publicKey)]);
		const { show } = open({ jwksUrl: url });
		expect(await show(sign(good, rsa.privateKey, 'RS256'))).toMatchObject({ extra: { sub: 'alice' } });
		const stranger = await generateKeyPair('RS256');
		expect(await show(sign(good, stranger.privateKey, 'RS256'))).toEqual(invalid);
	});

	test('an issuer that is away is nobody’s fault either', async () => {
		const { url, server } = await serveKeys([]);
		await new Promise((resolve) => server.close(resolve));
		expect(await open({ jwksUrl: url }).show(sign(good, rsa.privateKey, 'RS256', 'one'))).toMatchObject({
			status: 503,
		});
	});
});

test.each<[string, Partial<JwtOptions>]>([
	['none', {}],
	['an empty secret', { secret: '' }],
	['two', { secret, publicKey: pem }],
])('of key sources, %s is refused at once', (_, keys) => {
	expect(() => jwtAuthenticator({ issuer, audience, ...keys })).toThrow(TypeError);
});

test.each<[string, Partial<JwtOptions>, CryptoKey | string, string]>([
	['a secret', { secret, publicKey: '', jwksUrl: '' }, secret, 'HS256'],
	['a public key', { publicKey: pem, secret: '', jwksUrl: '' }, rsa.privateKey, 'RS256'],
])('options that are empty leave %s as the one source', async (_, keys, key, alg) => {
	const authenticate = jwtAuthenticator({ issuer, audience, clock: new ManualClock(NOW * 1000), ...keys });
	const token = await sign(good, key, alg);
	expect(await authenticate({ method: 'POST', header: () => `Bearer ${token}` })).toMatchObject({
		extra: { sub: 'alice' },
	});
});

describe('algorithms that no token could be accepted with are refused at once', () => {
	const publicKeyOf = async (alg: string) => exportSPKI((await generateKeyPair(alg, { extractable: true })).publicKey);
	const refused = (options: Partial<JwtOptions>) => expect(() => jwtAuthenticator({ issuer, audience, ...options }));

	test.each<[string, string, Partial<JwtOptions>]>([
		['RSA256', 'a public key', { publicKey: pem }],
		['rs256', 'a key set', { jwksUrl: 'https://issuer.example/keys' }],
		['HS256', 'a public key', { publicKey: pem }],
		['HS512', 'a key set', { jwksUrl: 'https://issuer.example/keys' }],
		['RS256', 'a secret', { secret }],
	])('%s for %s', (algorithm, _, source) => {
		refused({ ...source, algorithms: ['HS256', 'RS256', algorithm] }).toThrow(/^The option algorithms may name /);
		refused({ ...source, algorithms: [algorithm] }).toThrow(new RegExp(`not ${algorithm}\\.$`));
	});

	test('those of another kind of key than the public key', async () => {
		refused({ publicKey: pem, algorithms: ['ES256'] }).toThrow(/algorithms must name one of RS256, .*PS512 for/);
		refused({ publicKey: await publicKeyOf('ES384') }).toThrow(/algorithms must name one of ES384 for/);
		refused({ publicKey: await publicKeyOf('Ed25519'), algorithms: ['RS256'] }).toThrow(/EdDSA, Ed25519 for/);
	});

	test.each(['RS512', 'PS256', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'])('%s is for its keys', async (alg) => {
		const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
		const { show } = open({ publicKey: await exportSPKI(publicKey), algorithms: [alg] });
		expect(await show(sign(good, privateKey, alg))).toMatchObject({ extra: { sub: 'alice' } });
	});
});

test.each([
	[undefined, 'The options of jwtAuthenticator must be an object, not undefined.'],
	[{ audience, secret }, 'jwtAuthenticator needs the option issuer.'],
	[
		{ issuer, audience: undefined, secret },
		"jwtAuthenticator: audience must be an audience, a list of them, or 'any', not undefined.",
	],
	[
		{ issuer: [], audience, secret },
		"jwtAuthenticator: issuer must be an issuer, a list of them, or 'any', not an empty list.",
	],
	[{ issuer, audience, jwksURL: 'x' }, 'jwtAuthenticator has no option jwksURL. Did you mean jwksUrl?'],
	[{ issuer, audience, jwksUrl: 'keys' }, "jwtAuthenticator: jwksUrl must be a URL of http or https, not 'keys'."],
	[{ issuer, audience, publicKey: 'no key' }, 'The option publicKey must be a public key in PEM format.'],
	[
		{ issuer, audience, secret, algorithms: ['none'] },
		"jwtAuthenticator: algorithms must be a list of algorithms, such as ['RS256'], without 'none', " +
			'not a list whose member 1 is something else.',
	],
	[
		{ issuer, audience, secret, algorithms: ['RS256', 256] },
		"jwtAuthenticator: algorithms must be a list of algorithms, such as ['RS256'], without 'none', " +
			'not a list whose member 2 is something else.',
	],
	[
		{ issuer, audience, secret, clockToleranceMs: Number.NaN },
		'jwtAuthenticator: clockToleranceMs must be a number of milliseconds, 0 or more, not NaN.',
	],
	[
		{ issuer, audience, secret, requiredScopes: 'mcp' },
		"jwtAuthenticator: requiredScopes must be a list of scopes, such as ['mcp'], not 'mcp'.",
	],
])('options that cannot work are refused with one sentence: %j', (options, message) => {
	expect(() => jwtAuthenticator(options as never)).toThrow(new TypeError(message));
});

/** An issuer's key set, whose status a test may choose. */
async function serveKeys(
	keys: readonly JWK[],
): Promise<{ url: string; status: number; asked: number; server: Server }> {
	const issuerServer = { url: '', status: 200, asked: 0, server: createServer() };
	issuerServer.server.on('request', (_request, response) => {
		issuerServer.asked++;
		response.writeHead(issuerServer.status, { 'content-type': 'application/json', connection: 'close' });
		response.end(JSON.stringify({ keys }));
	});
	await new Promise<void>((resolve) => issuerServer.server.listen(0, '127.0.0.1', resolve));
	onTestFinished(() => void issuerServer.server.close());
	issuerServer.url = `http://127.0.0.1:${(issuerServer.server.address() as AddressInfo).port}/jwks`;
	return issuerServer;
}
