import { describe, expect, it } from 'vitest';
import { doors } from '../../../test/support/doors.ts';
import { eventually } from '../../../test/support/eventually.ts';
import { SseTransport } from '../src/index.ts';
import { SseRig } from './support/sse-rig.ts';

describe.each(doors)('a stream, through $name', (door) => {
	it('begins with the endpoint: the path for POSTs, with an id that nobody can guess', async () => {
		const rig = await SseRig.open(door);
		const clients = await Promise.all(Array.from({ length: 50 }, () => rig.open()));
		const ids = clients.map(({ stream, endpoint }) => {
			expect([stream.status, stream.isStream]).toEqual([200, true]);
			expect(stream.blocks).toMatchObject([{ event: 'endpoint', data: endpoint }]);
			return /^\/messages\?sessionId=([A-Za-z0-9_-]{32})$/.exec(endpoint)?.[1];
		});
		expect(ids).not.toContain(undefined);
		expect(new Set(ids).size).toBe(50);
	});

	it('tells proxies to pass it on unchanged and at once', async () => {
		const { headers } = (await (await SseRig.open(door)).open()).stream;
		expect(headers.get('cache-control')).toBe('no-cache, no-transform');
		expect(headers.get('x-accel-buffering')).toBe('no');
		expect(headers.get('mcp-session-id')).toBe(null);
	});

	it.each([
		['/api/mcp/messages', '/api/mcp/messages?sessionId='],
		['/messages?tenant=7', '/messages?tenant=7&sessionId='],
		['https://mcp.example.com/v1/messages', 'https://mcp.example.com/v1/messages?sessionId='],
	])('names what a proxy in front makes of the endpoint: %s', async (publicEndpoint, announced) => {
		const rig = await SseRig.open(door, { publicEndpoint });
		const client = await rig.open();
		expect(client.endpoint).toBe(announced + client.id);
		const { status } = await rig.post(`/messages?tenant=7&sessionId=${client.id}`, {
			jsonrpc: '2.0',
			id: 1,
			method: 'ping',
		});
		expect(status).toBe(202);
	});

	it('is at whatever path is wanted', async () => {
		const rig = await SseRig.open(door, { path: '/events', endpoint: '/rpc' });
		const client = await rig.session();
		expect(client.endpoint).toMatch(/^\/rpc\?sessionId=/);
		expect(await client.ask('echo', { text: 'x' })).toBe('x');
		expect((await rig.send({ method: 'GET', path: '/sse', headers: {} })).status).toBe(404);
	});

	it('carries every message as an event without an id', async () => {
		const client = await (await SseRig.open(door)).session();
		await client.ask('log', { count: 3 });
		const [, ...messages] = client.stream.blocks;
		expect(messages).toHaveLength(5);
		for (const block of messages) expect(Object.keys(block).sort()).toEqual(['comments', 'data', 'event']);
	});

	it('is kept awake by comments', async () => {
		const rig = await SseRig.open(door);
		const { stream } = await rig.session();
		rig.clock.advance(7_000);
		await eventually(() => stream.comments).toEqual(['keep-alive']);
		expect(rig.errors).toEqual([]);
	});

	it('is refused with 503 where there are enough', async () => {
		const rig = await SseRig.open(door, { maxStreams: 1 });
		const { stream } = await rig.open();
		const refused = await rig.get();
		expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1']);
		stream.drop();
		await eventually(() => rig.transport.stats().connections).toBe(0);
		expect((await rig.get()).status).toBe(200);
	});

	it('is never given to a second GET: each opens a session of its own', async () => {
		const rig = await SseRig.open(door);
		const [first, second] = [await rig.session(), await rig.session()];
		expect(first.id).not.toBe(second.id);
		expect(await second.ask('echo', { text: '2' })).toBe('2');
		expect(await first.ask('echo', { text: '1' })).toBe('1');
		expect(first.stream.received).not.toContain('"2"');
	});

	it('closes with the node, and what comes then is refused', async () => {
		const rig = await SseRig.open(door);
		const client = await rig.session();
		await rig.transport.close();
		await client.stream.ended();
		expect([(await rig.get()).status, (await client.notify('notifications/x')).status]).toEqual([503, 503]);
	});
});

describe('options', () => {
	it.each([
		{ endpoint: 'messages' },
		{ endpoint: 'https://mcp.example.com/messages' },
		{ publicEndpoint: 'messages' },
		{ publicEndpoint: '//elsewhere.example' },
		{ publicEndpoint: '/messages\ndata: /elsewhere' },
		{ publicEndpoint: '/messages#here' },
		{ path: '/messages' },
		{ graceMs: 0 },
	])('that cannot work are refused at once: %j', (options) => {
		const make = () => {
			throw new Error('No server is made.');
		};
		expect(() => new SseTransport(make, options)).toThrow(TypeError);
	});
});
