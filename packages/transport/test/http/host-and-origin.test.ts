import { HttpTransport } from '@holdfast/transport-http';
import { describe, expect, it } from 'vitest';
import { doors } from '../../../../test/support/doors.ts';
import { initializeMessage, postHeaders, Rig, type RigOptions } from '../../../../test/support/rig.ts';
import { v1McpServer } from '../../../../test/support/servers.ts';

const body = JSON.stringify(initializeMessage());

describe.each(doors)('Host and Origin, through $name', (door) => {
	const open = async (options: RigOptions, headers: Readonly<Record<string, string | undefined>>) => {
		const rig = await Rig.open(door, options);
		return rig.send({ headers: { ...postHeaders, ...headers }, body });
	};

	it.each(['localhost', 'localhost:3000', 'LocalHost', '127.0.0.1:1', '[::1]', '[::1]:65535'])(
		'Host %s is the local machine',
		async (host) => {
			expect((await open({}, { host })).status).toBe(200);
		},
	);

	it.each([
		'evil.example.com',
		'localhost.evil.com',
		'evil.localhost',
		'localhost.',
		'localhostx',
		'127.0.0.1.evil.com',
		'127.0.0.1:80:80',
		'localhost:3000.evil.com',
		'localhost@evil.com',
		'[::1].evil.com',
		'0.0.0.0',
		'[::2]',
	])('Host %j is refused with 403', async (host) => {
		const answer = await open({}, { host });
		expect(answer.status).toBe(403);
		expect(await answer.json()).toMatchObject({ jsonrpc: '2.0', id: null, error: { code: -32000 } });
	});

	it('takes the hosts of the option and no other, with any port or with the given one', async () => {
		const options = { allowedHosts: ['mcp.example.com', 'other.example.com:8443'] };
		const verdicts: Record<string, number> = {};
		for (const host of [
			'mcp.example.com',
			'MCP.example.com:443',
			'other.example.com:8443',
			'other.example.com',
			'other.example.com:443',
			'x.mcp.example.com',
			'localhost',
		]) {
			verdicts[host] = (await open(options, { host })).status;
		}
		expect(verdicts).toEqual({
			'mcp.example.com': 200,
			'MCP.example.com:443': 200,
			'other.example.com:8443': 200,
			'other.example.com': 403,
			'other.example.com:443': 403,
			'x.mcp.example.com': 403,
			localhost: 403,
		});
	});

	it('takes any host where the option says so', async () => {
		expect((await open({ allowedHosts: 'any' }, { host: 'evil.example.com' })).status).toBe(200);
	});

	it('takes no foreign origin where the option for hosts alone says any', async () => {
		const options = { allowedHosts: 'any' } as const;
		const host = 'mcp.example.com';
		expect((await open(options, { host, origin: 'http://evil.example.com' })).status).toBe(403);
		expect((await open(options, { host, origin: 'http://mcp.example.com' })).status).toBe(403);
		expect((await open(options, { host, origin: 'http://localhost:5173' })).status).toBe(200);
		const both = { ...options, allowedOrigins: 'any' } as const;
		expect((await open(both, { host, origin: 'http://evil.example.com' })).status).toBe(200);
	});

	it.each(['http://localhost', 'http://localhost:5173', 'https://127.0.0.1:8080', 'http://[::1]:3000'])(
		'Origin %s is the local machine',
		async (origin) => {
			expect((await open({}, { origin })).status).toBe(200);
		},
	);

	it.each([
		'http://evil.com',
		'http://localhost.evil.com',
		'http://evil.com/localhost',
		'http://evil.com#localhost',
		'http://evil.com?localhost',
		'http://localhost@evil.com',
		'http://localhost:80@evil.com',
		'http://evil-localhost',
		'null',
		'',
		'localhost',
		'http://',
		'http://localhost/',
		'http://localhost/path',
		'file://localhost',
		'http://localhost, http://evil.com',
	])('Origin %j is refused with 403', async (origin) => {
		const answer = await open({}, { origin });
		expect(answer.status).toBe(403);
		expect(answer.headers.get('access-control-allow-origin')).toBeNull();
		expect(await answer.json()).toMatchObject({ jsonrpc: '2.0', id: null, error: { code: -32000 } });
	});

	it('is checked on every method, known session or not', async () => {
		const rig = await Rig.open(door);
		const client = await rig.session();
		for (const method of ['POST', 'GET', 'DELETE', 'OPTIONS', 'PUT']) {
			for (const wrong of [{ origin: 'http://evil.com' }, { host: 'evil.example.com' }]) {
				const answer = await rig.send({ method, headers: { ...postHeaders, ...client.headers, ...wrong } });
				expect([method, answer.status]).toEqual([method, 403]);
			}
		}
		expect(await client.ask('echo', { text: 'on' })).toBe('on');
	});

	it('takes the origins of the option and no other', async () => {
		const options = { allowedOrigins: ['https://app.example.com', 'http://localhost:5173', 'vscode-webview://abc'] };
		const verdicts: Record<string, number> = {};
		for (const origin of [
			'https://app.example.com',
			'https://APP.example.com:443',
			'http://localhost:5173',
			'vscode-webview://abc',
			'vscode-webview://abcd',
			'http://app.example.com',
			'https://app.example.com:8443',
			'https://x.app.example.com',
			'http://localhost',
			'http://localhost:51730',
		]) {
			verdicts[origin] = (await open(options, { origin })).status;
		}
		expect(verdicts).toEqual({
			'https://app.example.com': 200,
			'https://APP.example.com:443': 200,
			'http://localhost:5173': 200,
			'vscode-webview://abc': 200,
			'vscode-webview://abcd': 403,
			'http://app.example.com': 403,
			'https://app.example.com:8443': 403,
			'https://x.app.example.com': 403,
			'http://localhost': 403,
			'http://localhost:51730': 403,
		});
	});

	it('takes any origin where the option says so', async () => {
		for (const origin of ['http://evil.com', 'null'])
			expect((await open({ allowedOrigins: 'any' }, { origin })).status).toBe(200);
	});
});

describe('a fetch runtime that gives no Host header', () => {
	it.each([
		['http://localhost/mcp', 200],
		['https://127.0.0.1:8443/mcp', 200],
		['http://evil.example.com/mcp', 403],
		['http://localhost.evil.com/mcp', 403],
	])('is taken at the host of the URL: %s', async (url, status) => {
		const transport = new HttpTransport((session) => v1McpServer.make({ tools: {} }, session));
		const response = await transport.respond(new Request(url, { method: 'POST', headers: postHeaders, body }));
		expect(response?.status).toBe(status);
		await transport.close();
	});
});

describe.each(doors)('CORS, through $name', (door) => {
	const origin = 'http://localhost:5173';
	const preflight = {
		origin,
		'access-control-request-method': 'POST',
		'access-control-request-headers': 'mcp-session-id',
	};

	it('answers a preflight with 204 and lets pages send what MCP needs', async () => {
		const rig = await Rig.open(door);
		const headers = { ...preflight, 'access-control-request-headers': undefined };
		const answer = await rig.send({ method: 'OPTIONS', headers });
		expect([answer.status, await answer.text()]).toEqual([204, '']);
		expect(answer.headers.get('access-control-allow-origin')).toBe(origin);
		expect(words(answer, 'access-control-allow-methods')).toEqual(expect.arrayContaining(['get', 'post', 'delete']));
		expect(words(answer, 'access-control-allow-headers')).toEqual(
			expect.arrayContaining([
				'content-type',
				'accept',
				'authorization',
				'mcp-session-id',
				'mcp-protocol-version',
				'last-event-id',
			]),
		);
	});

	it.each(['mcp-session-id, X-API-Key', 'mcp-method,mcp-name,mcp-param-region', 'traceparent'])(
		'lets an allowed origin send every header that it asks for: %s',
		async (asked) => {
			const rig = await Rig.open(door);
			const headers = { ...preflight, 'access-control-request-headers': asked };
			const answer = await rig.send({ method: 'OPTIONS', headers });
			const names = asked.toLowerCase().split(/ ?, ?/);
			expect(words(answer, 'access-control-allow-headers')).toEqual(expect.arrayContaining(names));
			expect(words(answer, 'vary').sort()).toEqual(['access-control-request-headers', 'origin']);
			const foreign = await rig.send({ method: 'OPTIONS', headers: { ...headers, origin: 'https://evil.example' } });
			expect([foreign.status, foreign.headers.get('access-control-allow-headers')]).toEqual([403, null]);
		},
	);

	it('does not repeat what is no list of header names', async () => {
		const rig = await Rig.open(door);
		const headers = { ...preflight, 'access-control-request-headers': 'x-a; <b>' };
		const answer = await rig.send({ method: 'OPTIONS', headers });
		expect(words(answer, 'access-control-allow-headers')).toContain('mcp-session-id');
		expect(answer.headers.get('access-control-allow-headers')).not.toContain('<');
	});

	it('lets pages read the session id, of whole responses and of streams', async () => {
		const rig = await Rig.open(door);
		const client = await rig.session();
		const get = { method: 'GET', headers: { accept: 'text/event-stream', ...client.headers, origin } };
		const answers = [
			await rig.post(initializeMessage(), { origin }),
			await client.post({ jsonrpc: '2.0', id: 1, method: 'ping' }, { origin }),
			await client.post({ jsonrpc: '2.0', method: 'notifications/initialized' }, { origin }),
			await rig.send(get),
		];
		for (const answer of answers) {
			expect(answer.headers.get('access-control-allow-origin')).toBe(origin);
			expect(words(answer, 'access-control-expose-headers')).toContain('mcp-session-id');
			expect(words(answer, 'vary')).toContain('origin');
		}
	});

	it('lets pages read why they were refused', async () => {
		const rig = await Rig.open(door);
		const answer = await rig.post('{', { origin });
		expect([answer.status, answer.headers.get('access-control-allow-origin')]).toEqual([400, origin]);
	});

	it('says nothing to who sends no origin, and nothing where the option turns it off', async () => {
		const rig = await Rig.open(door, { cors: false });
		for (const headers of [{}, { origin }]) {
			const answer = await rig.post(initializeMessage(), headers);
			expect([answer.status, answer.headers.get('access-control-allow-origin')]).toEqual([200, null]);
		}
		expect((await (await Rig.open(door)).initialize()).headers.get('access-control-allow-origin')).toBeNull();
	});
});

function words(answer: { readonly headers: Headers }, name: string): string[] {
	return (answer.headers.get(name) ?? '').toLowerCase().split(/, */);
}
