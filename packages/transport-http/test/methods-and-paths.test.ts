import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { doors, handleDoor, toRequest } from '../../../test/support/doors.ts';
import { initializeMessage, postHeaders, Rig } from '../../../test/support/rig.ts';
import { v1McpServer } from '../../../test/support/servers.ts';
import { HttpTransport } from '../src/index.ts';

describe.each(doors)('methods and paths, through $name', (door) => {
	it.each(['PUT', 'PATCH', 'HEAD', 'PROPFIND'])('refuses %s with 405 and says what is allowed', async (method) => {
		const rig = await Rig.open(door);
		const client = await rig.session();
		for (const headers of [{}, client.headers]) {
			const answer = await rig.send({ method, headers: { ...postHeaders, ...headers } });
			expect(answer.status).toBe(405);
			expect(answer.headers.get('allow')?.split(', ').sort()).toEqual(['DELETE', 'GET', 'OPTIONS', 'POST']);
		}
	});

	it('answers a refused method with a JSON-RPC error', async () => {
		const rig = await Rig.open(door);
		const answer = await rig.send({ method: 'PUT' });
		expect(await answer.json()).toMatchObject({ jsonrpc: '2.0', id: null, error: { code: -32000 } });
	});

	it.each(['/mcp', '/mcp?', '/mcp?a=/b&c=%2F', '/mcp?/mcp', '/mcp/', '/mcp/?x'])('serves %s', async (path) => {
		const rig = await Rig.open(door);
		const answer = await rig.send({ path, headers: postHeaders, body: JSON.stringify(initializeMessage()) });
		expect(answer.status).toBe(200);
	});

	it.each(['/', '/mcp//', '/mcp/x', '/mcpx', '/MCP', '/x/mcp', '/?/mcp', '//mcp', '/%6dcp'])(
		'does not serve %s',
		async (path) => {
			const rig = await Rig.open(door);
			const answer = await rig.send({ path, headers: postHeaders, body: JSON.stringify(initializeMessage()) });
			expect(answer.status).toBe(404);
			expect(rig.transport.stats().sessions).toBe(0);
		},
	);

	it('serves the path that the option names, and no other', async () => {
		const rig = await Rig.open(door, { path: '/api/v1/mcp' });
		const body = JSON.stringify(initializeMessage());
		expect((await rig.send({ path: '/api/v1/mcp?x', headers: postHeaders, body })).status).toBe(200);
		expect((await rig.send({ path: '/mcp', headers: postHeaders, body })).status).toBe(404);
	});

	it('serves a path with or without a slash at the end, however the option names it', async () => {
		const rig = await Rig.open(door, { path: '/api/' });
		const body = JSON.stringify(initializeMessage());
		for (const path of ['/api', '/api/', '/api?x', '/api/?x'])
			expect((await rig.send({ path, headers: postHeaders, body })).status).toBe(200);
		expect((await rig.send({ path: '/', headers: postHeaders, body })).status).toBe(404);
	});

	it('serves every path where the option is null', async () => {
		const rig = await Rig.open(door, { path: null });
		for (const path of ['/', '/mcp', '/any/where?x=1']) {
			const answer = await rig.send({ path, headers: postHeaders, body: JSON.stringify(initializeMessage()) });
			expect(answer.status).toBe(200);
		}
	});
});

it('serves a target in absolute form, and checks the host that it names', async () => {
	const rig = await Rig.open(handleDoor);
	const post = { headers: postHeaders, body: JSON.stringify(initializeMessage()) };
	expect((await rig.send({ ...post, path: 'http://localhost/mcp?x' })).status).toBe(200);
	expect((await rig.send({ ...post, path: 'http://evil.example/mcp' })).status).toBe(403);
	const hidden = { ...post, headers: { ...postHeaders, host: 'evil.example' } };
	expect((await rig.send({ ...hidden, path: 'HTTP://127.0.0.1:3000/mcp' })).status).toBe(200);
	expect((await rig.send({ ...post, path: 'http://localhost/other/mcp' })).status).toBe(404);
});

it('a transport serves every path as the default export of a module, whatever a runtime passes besides', async () => {
	const transport = new HttpTransport((session) => v1McpServer.make({ tools: {} }, session));
	onTestFinished(() => transport.close());
	const served: { fetch(request: Request, env: object, context: object): Promise<Response> } = transport;
	const post = { headers: postHeaders, body: JSON.stringify(initializeMessage()) };
	const ours = await served.fetch(toRequest('http://localhost', post), { authInfo: 5 }, {});
	expect(ours.status).toBe(200);
	const other = await served.fetch(toRequest('http://localhost', { ...post, path: '/other' }), {}, {});
	expect(other.status).toBe(404);
	expect(await other.json()).toMatchObject({ error: { code: -32000 } });
});

describe('a path that is not ours', () => {
	const transport = () => {
		const made = new HttpTransport((session) => v1McpServer.make({ tools: {} }, session));
		onTestFinished(() => made.close());
		return made;
	};

	it('is answered by handle with 404 as JSON where nobody is next', async () => {
		const origin = await listen(transport().handle);
		const response = await fetch(`${origin}/other`, { method: 'POST', body: '{}' });
		expect(response.status).toBe(404);
		expect(response.headers.get('content-type')).toBe('application/json');
		expect(await response.json()).toMatchObject({ jsonrpc: '2.0', id: null, error: { code: -32000 } });
	});

	it('is passed on by handle to the next handler, untouched', async () => {
		const { handle } = transport();
		const origin = await listen((request, response) => {
			handle(request, response, (error?: unknown) => {
				response.writeHead(error === undefined ? 201 : 500).end('mine');
			});
		});
		const response = await fetch(`${origin}/other`);
		expect([response.status, await response.text()]).toEqual([201, 'mine']);
	});

	it('is left by respond to the caller', async () => {
		expect(await transport().respond(toRequest('http://127.0.0.1', { method: 'GET', path: '/other' }))).toBeNull();
	});
});

describe('handle in a framework', () => {
	it('goes by the path before a router cut it', async () => {
		const { handle } = new HttpTransport((session) => v1McpServer.make({ tools: {} }, session), { path: '/tools/mcp' });
		const origin = await listen((request, response) => {
			Object.assign(request, { originalUrl: request.url });
			request.url = '/';
			handle(request, response);
		});
		const init = { method: 'POST', headers: postHeaders, body: JSON.stringify(initializeMessage()) };
		expect((await fetch(`${origin}/tools/mcp`, init)).status).toBe(200);
		expect((await fetch(`${origin}/mcp`, init)).status).toBe(404);
	});

	it('takes a body that was parsed before', async () => {
		const { handle } = new HttpTransport((session) => v1McpServer.make({ tools: {} }, session));
		const origin = await listen(async (request, response) => {
			let text = '';
			for await (const chunk of request.setEncoding('utf8')) text += chunk;
			handle(Object.assign(request, { body: JSON.parse(text) }), response);
		});
		const response = await fetch(`${origin}/mcp`, {
			method: 'POST',
			headers: postHeaders,
			body: JSON.stringify(initializeMessage()),
		});
		expect(await response.json()).toMatchObject({ id: 'init', result: { serverInfo: { name: 'test-server' } } });
	});
});

async function listen(handle: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
	const server = createServer(handle);
	await new Promise<void>((resolve) => {
		server.listen(0, '127.0.0.1', resolve);
	});
	onTestFinished(() => {
		server.closeAllConnections();
		server.close();
	});
	return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
