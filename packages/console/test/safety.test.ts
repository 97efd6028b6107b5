import { connect } from 'node:net';
import { OperatorConsole } from '@holdfast/console';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { shortHash } from '../src/data/short-hash.ts';
import { type ConsoleRig, recordOf, sendForm, startConsole, tokenOf } from './support/console-rig.ts';

let rig: ConsoleRig;

beforeAll(async () => {
	rig = await startConsole();
	return () => rig.close();
});

async function consoleWith(options: Parameters<typeof startConsole>[0]): Promise<ConsoleRig> {
	const own = await startConsole(options);
	onTestFinished(() => own.close());
	return own;
}

/** Sends a request as it stands, with a `Host` of its own. */
function raw(url: string, headers: Readonly<Record<string, string>>, path = '/console/'): Promise<string> {
	const { port } = new URL(url);
	const lines = Object.entries({ host: `127.0.0.1:${port}`, connection: 'close', ...headers });
	return new Promise((resolve, reject) => {
		let text = '';
		const socket = connect(Number(port), '127.0.0.1', () =>
			socket.write(`GET ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`),
		);
		socket.setEncoding('utf8').on('data', (more: string) => {
			text += more;
		});
		socket.on('end', () => resolve(text)).on('error', reject);
	});
}

const statusOf = async (answer: Promise<string>) => Number((await answer).split(' ', 2)[1]);

describe('who may look', () => {
	test('there is no console without authorization, and none with an action that there is not', () => {
		const { transport, info } = rig;
		// @ts-expect-error It is required.
		expect(() => new OperatorConsole({ transport, info })).toThrow('OperatorConsole needs the option authorize.');
		expect(() => new OperatorConsole({ transport, info, authorize: { oneTimeToken: 'short', name: 'ann' } })).toThrow(
			/authorize must be a function/,
		);
		const actions = ['end', 'erase everything'] as never;
		expect(() => new OperatorConsole({ transport, info, authorize: 'loopback', actions })).toThrow(
			/: actions must be a list of .*, not a list whose member 2 is something else\.$/,
		);
	});

	test.each([
		['nobody', () => undefined],
		['nobody, later', async () => undefined],
		['something else than an operator', () => ({}) as never],
	])('where authorize says %s, no page and no event is served', async (_, authorize) => {
		const { url } = await consoleWith({ authorize, challenge: 'Basic realm="console"' });
		for (const path of ['', 'sessions', 'events', 'no-such-page', `sessions/${'0'.repeat(12)}`]) {
			const response = await fetch(`${url}${path}`);
			expect(response.status).toBe(401);
			expect(response.headers.get('www-authenticate')).toBe('Basic realm="console"');
			expect(await response.text()).not.toMatch(/Sessions|Nodes/);
		}
	});

	test('where authorize fails, nothing is served, and the error is reported', async () => {
		const errors: Error[] = [];
		const authorize = () => Promise.reject(new Error('the directory is away'));
		const { url } = await consoleWith({ authorize, onerror: (error) => errors.push(error) });
		const response = await fetch(url);
		expect(response.status).toBe(500);
		expect(await response.text()).not.toContain('directory');
		expect(errors).toMatchObject([{ message: 'the directory is away' }]);
	});

	test('on the loopback, programs of this machine may look, and nothing that a proxy sends on', async () => {
		const { url } = await consoleWith({ authorize: 'loopback', allowedHosts: ['127.0.0.1', 'tools.example'] });
		expect((await fetch(url)).status).toBe(200);
		for (const name of ['x-forwarded-for', 'forwarded', 'via', 'x-real-ip'])
			expect((await fetch(url, { headers: { [name]: '203.0.113.9' } })).status).toBe(403);
		expect(await statusOf(raw(url, { host: 'tools.example' }))).toBe(403);
	});

	test('a one-time token opens the console once, in one browser', async () => {
		const oneTimeToken = 'k'.repeat(43);
		const { url } = await consoleWith({ authorize: { oneTimeToken, name: 'ann' } });
		expect((await fetch(url)).status).toBe(401);
		expect((await fetch(`${url}?token=${'j'.repeat(43)}`)).status).toBe(401);
		const opened = await fetch(`${url}?token=${oneTimeToken}`, { redirect: 'manual' });
		expect([opened.status, opened.headers.get('location')]).toEqual([303, './']);
		const given = opened.headers.get('set-cookie') ?? '';
		expect(given).toMatch(/^holdfast-console-[\da-f]{8}=[\w-]{43}; HttpOnly; SameSite=Strict$/);
		const [cookie = ''] = given.split(';');
		expect((await fetch(url, { headers: { cookie } })).status).toBe(200);
		expect((await fetch(`${url}?token=${oneTimeToken}`)).status).toBe(401);
		expect((await fetch(url, { headers: { cookie: `${cookie}x` } })).status).toBe(401);
	});

	test('a browser may have several consoles of one host open: each goes on with its own cookie', async () => {
		const consoles = await Promise.all(
			['a', 'b'].map(async (letter) => {
				const oneTimeToken = letter.repeat(43);
				const { url } = await consoleWith({ authorize: { oneTimeToken, name: 'ann' } });
				return { url, address: `${url}?token=${oneTimeToken}` };
			}),
		);
		// A browser keeps one cookie by each name, whatever the port.
		const jar = new Map<string, string>();
		for (const { address } of consoles) {
			const opened = await fetch(address, { redirect: 'manual' });
			const [name = '', value = ''] = (opened.headers.get('set-cookie') ?? '').split(/[=;]/);
			jar.set(name, value);
		}
		const cookie = Array.from(jar, ([name, value]) => `${name}=${value}`).join('; ');
		for (const { url } of consoles) expect((await fetch(url, { headers: { cookie } })).status).toBe(200);
	});
});

describe('where requests come from', () => {
	test.each(['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example', ''])(
		'the host %j is refused',
		async (host) => {
			expect(await statusOf(raw(rig.url, { host }))).toBe(403);
		},
	);

	test.each([
		['the origin of another page', { origin: 'https://evil.example' }],
		['an origin that is none', { origin: 'null' }],
		['a script of another page', { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' }],
	])('%s is refused', async (_, headers) => {
		for (const path of ['/console/', '/console/events']) expect(await statusOf(raw(rig.url, headers, path))).toBe(403);
	});

	test('a link of another page may lead here', async () => {
		const headers = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' };
		expect(await statusOf(raw(rig.url, headers))).toBe(200);
	});
});

describe('forms', () => {
	const id = 'session-of-forms';
	const page = () => `${rig.url}sessions/${shortHash(id)}`;
	let token = '';

	beforeAll(async () => {
		rig.info.create(recordOf(id));
		token = await tokenOf(page());
	});

	afterAll(() => rig.info.delete(id));

	const isThere = () => rig.info.read(id) !== undefined;

	test('without its token, or with that of somebody else, nothing is done', async () => {
		const other = await consoleWith({ authorize: () => ({ name: 'bob' }) });
		other.info.create(recordOf(id));
		const foreign = await tokenOf(`${other.url}sessions/${shortHash(id)}`);
		expect(token).toMatch(/^\d+\.[\w-]+$/);
		for (const wrong of ['', 'x', foreign, `9${token}`, token.slice(0, -1)]) {
			const response = await sendForm(`${page()}/end`, { token: wrong, reason: 'test' });
			expect(response.status).toBe(403);
		}
		expect(isThere()).toBe(true);
	});

	test('from another page, or from nowhere, nothing is done', async () => {
		for (const headers of [
			{ origin: 'https://evil.example' },
			{ origin: 'null' },
			{ 'sec-fetch-site': 'cross-site' },
			{ 'sec-fetch-site': 'same-site' },
		])
			expect((await sendForm(`${page()}/end`, { token, reason: 'test' }, headers)).status).toBe(403);
		const body = new URLSearchParams({ token, reason: 'test' });
		expect((await fetch(`${page()}/end`, { method: 'POST', body })).status).toBe(403);
		expect(isThere()).toBe(true);
	});

	test('an address that acts does not take GET, and no other content', async () => {
		expect((await fetch(`${page()}/end?token=${token}&reason=test`)).status).toBe(405);
		const headers = { origin: new URL(rig.url).origin, 'content-type': 'text/plain' };
		expect((await fetch(`${page()}/end`, { method: 'POST', headers, body: `token=${token}` })).status).toBe(415);
		const large = await sendForm(`${page()}/end`, { token, reason: 'x'.repeat(20_000) });
		expect(large.status).toBe(413);
		expect(isThere()).toBe(true);
	});

	test('what is not named in actions cannot be done, and has no form', async () => {
		const readOnly = await consoleWith({ actions: [] });
		readOnly.info.create(recordOf(id));
		const address = `${readOnly.url}sessions/${shortHash(id)}`;
		expect(await (await fetch(address)).text()).not.toContain('<form method="post"');
		for (const action of ['end', 'suspend'])
			expect((await sendForm(`${address}/${action}`, { token })).status).toBe(403);
		for (const action of ['export', 'erase'])
			expect((await sendForm(`${readOnly.url}person/${action}`, { token, principal: 'ann' })).status).toBe(403);
		expect(readOnly.info.read(id)).toBeDefined();
		expect(readOnly.audit).toEqual([]);
	});

	test('consoles with one secret take the forms of each other', async () => {
		const secret = 's'.repeat(32);
		const [one, other] = [await consoleWith({ secret }), await consoleWith({ secret })];
		for (const { info } of [one, other]) info.create(recordOf(id));
		const shared = await tokenOf(`${one.url}sessions/${shortHash(id)}`);
		const address = `${other.url}sessions/${shortHash(id)}/end`;
		expect((await sendForm(address, { token: shared, reason: 'test' })).status).toBe(303);
		expect(other.info.read(id)).toBeUndefined();
	});
});

test('every response forbids what no page of the console needs', async () => {
	for (const path of ['', 'sessions', 'events', 'assets/live.js', 'no-such-page', 'sessions/../../mcp']) {
		const aborted = new AbortController();
		const { headers } = await fetch(`${rig.url}${path}`, { signal: aborted.signal });
		const policy = headers.get('content-security-policy') ?? '';
		if (headers.get('mcp-session-id') === null && !path.includes('mcp')) {
			expect(policy).toContain("default-src 'none'");
			expect(policy).not.toMatch(/unsafe|\*|data:|https?:/);
			expect(headers.get('x-content-type-options')).toBe('nosniff');
			expect(headers.get('cache-control')).toContain('no-store');
			expect(headers.get('access-control-allow-origin')).toBeNull();
		}
		aborted.abort();
	}
});

test('pages have no script, style or handler of their own', async () => {
	rig.info.create(recordOf('hostile', { client: '<img src=x onerror=alert(1)>' }));
	for (const path of ['', 'sessions', 'people', 'nodes', 'activity', `sessions/${shortHash('hostile')}`]) {
		const text = await (await fetch(`${rig.url}${path}`)).text();
		expect(text).not.toMatch(
			/<style|\sstyle=|<script(?! src="(\.|\.\.)\/assets\/live\.js" defer><\/script>)|<[^>]*\son\w+=/,
		);
		expect(text).not.toContain('<img src=x');
	}
});

test('no page shows the id of a session, also not in an address', async () => {
	const own = await consoleWith({});
	const ids = Array.from({ length: 120 }, (_, n) => `a-secret-session-id-${n}`);
	for (const id of ids) own.info.create(recordOf(id, { principal: 'https://id.example ann' }));
	const person = `person?principal=${encodeURIComponent('https://id.example ann')}`;
	const paths = [
		'',
		'sessions',
		'sessions?q=inspector',
		'people',
		person,
		'activity',
		`sessions/${shortHash(ids[0] ?? '')}`,
	];
	for (const path of paths) {
		const text = await (await fetch(`${own.url}${path}`)).text();
		expect(text).not.toContain('a-secret-session-id');
		expect(text).not.toContain(encodeURIComponent('a-secret-session-id'));
	}
	const [, next = ''] =
		/href="\.\/(sessions\?after=[^"]+)" rel="next"/.exec(await (await fetch(`${own.url}sessions`)).text()) ?? [];
	expect(next).not.toBe('');
	expect(Buffer.from(next.split('after=')[1] ?? '', 'base64url').toString('latin1')).not.toContain('secret');
});
