import { once } from 'node:events';
import { Agent, createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { InMemoryInfoSessionManager, InMemoryStreamSessionManager, type Session } from '@holdfast/session-manager';
import { HttpTransport } from '@holdfast/transport-http';
import { SseTransport } from '@holdfast/transport-sse';
import { describe, expect, it, onTestFinished } from 'vitest';
import { SseClient } from '../../../test/support/clients/sse-client.ts';
import type { WireResponse } from '../../../test/support/clients/wire-response.ts';
import { sendOverHttp, type WireRequest } from '../../../test/support/doors.ts';
import { eventually } from '../../../test/support/eventually.ts';
import { gatedTool } from '../../../test/support/gated-tool.ts';
import { initializeMessage, LATEST, postHeaders, textOf, tools } from '../../../test/support/rig.ts';
import { type Tool, v1McpServer } from '../../../test/support/servers.ts';
import { type ShutdownOptions, shutdown } from '../src/index.ts';

/** A process with both transports, and a client of Streamable HTTP with kept connections, as a balancer is one. */
async function openProcess(own: Record<string, Tool> = {}) {
	const managers = { streams: new InMemoryStreamSessionManager(), info: new InMemoryInfoSessionManager() };
	const errors: Error[] = [];
	const options = { sessionManager: managers, onerror: (error: Error) => errors.push(error) };
	const make = (session: Session) => v1McpServer.make({ tools: { ...tools, ...own } }, session);
	const http = new HttpTransport(make, options);
	const sse = new SseTransport(make, options);
	const server = createServer((request, response) => {
		if (request.url === '/other') setTimeout(() => response.end('other'), 100);
		else sse.handle(request, response, () => http.handle(request, response));
	});
	await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
	const { port } = server.address() as AddressInfo;
	const agent = new Agent({ keepAlive: true });
	const over = new AbortController();
	onTestFinished(async () => {
		agent.destroy();
		over.abort();
		await shutdown(server, [http, sse], { signal: over.signal });
	});
	const send = (wire: WireRequest, by = agent) => sendOverHttp(by, port, wire);
	const opened = await send({ headers: postHeaders, body: JSON.stringify(initializeMessage()) });
	await opened.ended();
	const headers = {
		...postHeaders,
		'mcp-session-id': opened.headers.get('mcp-session-id') ?? '',
		'mcp-protocol-version': LATEST,
	};
	let id = 0;
	return {
		http,
		sse,
		server,
		port,
		errors,
		managers,
		send,
		headers,
		idle: () => Object.values(agent.freeSockets).flat().length,
		call: (name: string, args: object = {}): Promise<WireResponse> =>
			send({
				headers,
				body: JSON.stringify({ jsonrpc: '2.0', id: ++id, method: 'tools/call', params: { name, arguments: args } }),
			}),
		letGo: () => agent.destroy(),
		stop: (more: ShutdownOptions = {}) =>
			shutdown(server, [http, sse], { delayMs: 0, spreadMs: 0, signal: over.signal, ...more }),
		async openSse(): Promise<SseClient> {
			const post = (path: string, body: unknown) =>
				send({ path, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
			const stream = await send({ method: 'GET', path: '/sse', headers: { accept: 'text/event-stream' } });
			const { data } = await stream.event(0);
			const client = new SseClient({ post }, stream, data ?? '', {});
			await client.initialize();
			return client;
		},
	};
}

function isRefused(port: number): Promise<boolean> {
	return new Promise((resolve) => {
		const socket = connect(port, '127.0.0.1');
		socket.once('connect', () => {
			socket.destroy();
			resolve(false);
		});
		socket.once('error', () => resolve(true));
	});
}

describe('shutdown', () => {
	it('serves as before at first, and lets go of each connection with its next response', async () => {
		const node = await openProcess();
		const stopped = node.stop({ delayMs: 60_000 });
		expect([await node.http.isReady(), await node.sse.isReady()]).toEqual([false, false]);
		const answer = await node.call('echo', { text: 'x' });
		expect([textOf(await answer.answer()), answer.headers.get('connection')]).toEqual(['x', 'close']);
		expect(await isRefused(node.port)).toBe(false);
		const other = await node.send({ method: 'GET', path: '/other' });
		expect([await other.text(), other.headers.get('connection')]).toEqual(['other', 'close']);
		expect(node.stop()).toBe(stopped);
	});

	it('then accepts no more connections, and serves what comes on idle ones until they are let go of', async () => {
		const node = await openProcess();
		await eventually(node.idle).toBe(1);
		const stopped = node.stop({ idleConnectionsMs: 60_000 });
		await eventually(() => isRefused(node.port)).toBe(true);
		expect(node.idle()).toBe(1);
		expect(textOf(await (await node.call('echo', { text: 'late' })).answer())).toBe('late');
		await stopped;
		expect(node.errors).toEqual([]);
	});

	it('closes idle connections that nobody lets go of, once their time is over', async () => {
		const node = await openProcess();
		await eventually(node.idle).toBe(1);
		// This one never sent anything.
		const unused = connect(node.port, '127.0.0.1');
		await once(unused, 'connect');
		const closed = once(unused, 'close');
		await node.stop({ idleConnectionsMs: 100 });
		await closed;
		await eventually(node.idle).toBe(0);
	});

	it.each(['http', 'sse'] as const)('ends no transport while another still works: a call of %s runs', async (runs) => {
		const { tool, arrived, go } = gatedTool();
		const node = await openProcess({ slow: tool });
		const client = await node.openSse();
		const slow = runs === 'http' ? node.call('slow') : client.call('slow');
		await arrived.wait();
		// Two connections that will be idle.
		await Promise.all([node.call('echo', { text: '1' }), node.call('echo', { text: '2' })]);
		await eventually(node.idle).toBeGreaterThanOrEqual(2);
		const stopped = node.stop({ idleConnectionsMs: 60_000 });
		await eventually(() => isRefused(node.port)).toBe(true);
		expect((await node.call('echo', { text: 'x' })).status).toBe(200);
		expect((await node.send({ method: 'GET', path: '/sse', headers: {} })).status).toBe(200);
		go.happen('done');
		const response = await slow;
		expect(textOf(typeof response === 'object' ? await response.answer() : await client.answerTo(response))).toBe(
			'done',
		);
		await client.stream.ended();
		node.letGo();
		await stopped;
		expect(node.errors).toEqual([]);
	});

	it('gives what runs at the limit an error, which its client can read', async () => {
		const node = await openProcess({ never: () => new Promise(() => {}) });
		const client = await node.openSse();
		const id = await client.call('never');
		const pending = node.call('never');
		await eventually(() => node.http.stats().requestsInFlight).toBe(1);
		await node.stop({ timeoutMs: 100 });
		expect(await (await pending).answer()).toMatchObject({ error: { code: -32000 } });
		expect(await client.answerTo(id)).toMatchObject({ error: { code: -32000 } });
	});

	it('waits no longer once its signal aborts', async () => {
		const node = await openProcess({ never: () => new Promise(() => {}) });
		const pending = node.call('never');
		await eventually(() => node.http.stats().requestsInFlight).toBe(1);
		const abort = new AbortController();
		const stopped = node.stop({ delayMs: 60_000, timeoutMs: 60_000, signal: abort.signal });
		abort.abort();
		expect(await (await pending).answer()).toMatchObject({ error: { code: -32000 } });
		await stopped;
		expect(await isRefused(node.port)).toBe(true);
	});

	it('closes the managers, and reports what fails', async () => {
		const node = await openProcess();
		let closed = 0;
		node.managers.streams.close = async () => void closed++;
		node.managers.info.close = async () => {
			throw new Error('cannot close');
		};
		await node.stop({ idleConnectionsMs: 0 });
		expect([closed, node.errors.map(({ message }) => message)]).toEqual([1, ['cannot close']]);
	});

	it('waits for responses of other routes', async () => {
		const node = await openProcess();
		const stopped = node.stop({ delayMs: 50, idleConnectionsMs: 0 });
		const other = await node.send({ method: 'GET', path: '/other' });
		expect(await other.text()).toBe('other');
		await stopped;
	});
});
