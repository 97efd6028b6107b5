import { describe, expect, it } from 'vitest';
import { doors } from '../../../test/support/doors.ts';
import { gatedTool } from '../../../test/support/gated-tool.ts';
import { initializeMessage } from '../../../test/support/rig.ts';
import { sdks } from '../../../test/support/servers.ts';
import { SseRig } from './support/sse-rig.ts';

const ping = { jsonrpc: '2.0', id: 'p', method: 'ping' };

describe.each(doors)('a POST, through $name', (door) => {
	it.each(sdks)('of a request is 202 without a body, and the response goes on the stream ($name)', async (sdk) => {
		const client = await (await SseRig.open(door, { sdk })).session();
		const taken = await client.post(ping);
		expect([taken.status, await taken.text()]).toEqual([202, '']);
		expect(await client.answerTo('p')).toEqual({ jsonrpc: '2.0', id: 'p', result: {} });
	});

	it('needs no Accept, and takes any kind of JSON', async () => {
		const client = await (await SseRig.open(door)).session();
		const taken = await client.post(ping, { accept: undefined, 'content-type': 'Application/JSON; charset=utf-8' });
		expect(taken.status).toBe(202);
	});

	it.each([
		{ what: 'no session', path: '/messages', status: 400, code: -32000 },
		{ what: 'an empty session', path: '/messages?sessionId=', status: 400, code: -32000 },
		{ what: 'an unknown session', path: '/messages?sessionId=unknown', status: 404, code: -32001 },
		{ what: 'what cannot be a session', path: '/messages?sessionId=a%20b', status: 404, code: -32001 },
		{ what: 'a broken escape', path: '/messages?sessionId=%', status: 404, code: -32001 },
		{ what: 'bytes that are no text', path: '/messages?sessionId=%00%ff', status: 404, code: -32001 },
		{ what: 'a very long text', path: `/messages?sessionId=${'x'.repeat(8_000)}`, status: 404, code: -32001 },
		{ what: 'several sessions', path: '/messages?sessionId=a&sessionId=b', status: 404, code: -32001 },
		{ what: 'a session under another name', path: '/messages?session_id=a&SessionId=b', status: 400, code: -32000 },
		{ what: 'an address of nodes', path: '/messages?sessionId=%20*', status: 404, code: -32001 },
	])('that names $what is $status', async ({ path, status, code }) => {
		const answer = await (await SseRig.open(door)).post(path, ping);
		expect([answer.status, (await answer.json()).error.code]).toEqual([status, code]);
	});

	it.each([
		{ what: 'no JSON', body: '{', status: 400, code: -32700 },
		{ what: 'nothing', body: '', status: 400, code: -32700 },
		{ what: 'no message', body: '{"jsonrpc":"2.0"}', status: 400, code: -32600 },
		{ what: 'a batch, which only Streamable HTTP has', body: `[${JSON.stringify(ping)}]`, status: 400, code: -32600 },
		{
			what: 'too much',
			body: JSON.stringify({ ...ping, params: { x: 'x'.repeat(1_000) } }),
			status: 413,
			code: -32000,
		},
	])('of $what is $status, and the session goes on', async ({ body, status, code }) => {
		const rig = await SseRig.open(door, { maxBodyBytes: 500 });
		const client = await rig.session();
		const answer = await client.post(body);
		expect([answer.status, (await answer.json()).error.code]).toEqual([status, code]);
		expect(await client.ask('echo', { text: 'x' })).toBe('x');
		expect(rig.errors).toEqual([]);
	});

	it.each([undefined, 'text/plain'])('with the Content-Type %s is 415', async (contentType) => {
		const client = await (await SseRig.open(door)).session();
		expect((await client.post(ping, { 'content-type': contentType })).status).toBe(415);
	});

	it('with a revision that nobody knows is 400', async () => {
		const client = await (await SseRig.open(door)).session();
		expect((await client.post(ping, { 'mcp-protocol-version': '1999-01-01' })).status).toBe(400);
		expect((await client.post(ping, { 'mcp-protocol-version': '2024-11-05' })).status).toBe(202);
	});

	it('with the id of a request that still runs is 400', async () => {
		const { tool, arrived, go } = gatedTool();
		const client = await (await SseRig.open(door, { tools: { slow: tool } })).session();
		const id = await client.call('slow');
		await arrived.wait();
		expect((await client.post({ ...ping, id })).status).toBe(400);
		go.happen('done');
		expect((await client.answerTo(id)).result.content[0].text).toBe('done');
		expect((await client.post({ ...ping, id })).status).toBe(202);
	});

	it('of one request too many is 429', async () => {
		const { tool, arrived, go } = gatedTool();
		const client = await (await SseRig.open(door, { tools: { slow: tool }, maxRequestsInFlight: 1 })).session();
		const id = await client.call('slow');
		await arrived.wait();
		const refused = await client.post(ping);
		expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '1']);
		go.happen('done');
		await client.answerTo(id);
		expect((await client.post(ping)).status).toBe(202);
	});

	it('of an initialize whose server cannot be made is 500', async () => {
		const rig = await SseRig.open(door, {
			createServer: () => {
				throw new Error('No server today.');
			},
		});
		const client = await rig.open();
		expect((await client.post(initializeMessage())).status).toBe(500);
		expect(rig.errors).toMatchObject([{ message: expect.stringContaining('No server today.') }]);
	});
});

describe.each(doors)('requests for another path or with another method, through $name', (door) => {
	it('are not ours', async () => {
		const rig = await SseRig.open(door);
		for (const path of ['/', '/mcp', '/ssex', '/sse//', '/messages/x']) {
			expect((await rig.send({ method: 'GET', path, headers: {} })).status).toBe(404);
		}
	});

	it.each([
		{ path: '/sse', method: 'POST', allow: 'GET, OPTIONS' },
		{ path: '/sse', method: 'DELETE', allow: 'GET, OPTIONS' },
		{ path: '/messages', method: 'GET', allow: 'POST, OPTIONS' },
		{ path: '/messages', method: 'PUT', allow: 'POST, OPTIONS' },
	])('are 405: $method $path', async ({ path, method, allow }) => {
		const answer = await (await SseRig.open(door)).send({
			path,
			method,
			headers: { 'content-type': 'application/json' },
		});
		expect([answer.status, answer.headers.get('allow')]).toEqual([405, allow]);
	});

	it('are 406 where a stream is not accepted', async () => {
		const rig = await SseRig.open(door);
		expect((await rig.get({ accept: 'application/json' })).status).toBe(406);
		for (const accept of [undefined, '*/*', 'text/*', 'text/event-stream']) {
			expect((await rig.get({ accept })).status).toBe(200);
		}
	});

	it('are 403 from another Host or Origin, and open nothing', async () => {
		const rig = await SseRig.open(door);
		const client = await rig.session();
		for (const headers of [{ host: 'evil.example' }, { origin: 'https://evil.example' }]) {
			expect((await rig.get(headers)).status).toBe(403);
			expect((await client.post(ping, headers)).status).toBe(403);
		}
		expect(rig.transport.stats().sessions).toBe(1);
	});

	it('get CORS headers from a page of an allowed origin', async () => {
		const rig = await SseRig.open(door);
		const origin = 'http://localhost:5173';
		const preflight = await rig.send({ method: 'OPTIONS', path: '/messages', headers: { origin } });
		expect([preflight.status, preflight.headers.get('access-control-allow-origin')]).toEqual([204, origin]);
		expect((await rig.get({ origin })).headers.get('access-control-allow-origin')).toBe(origin);
	});
});
