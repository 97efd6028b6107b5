import { once } from 'node:events';
import { request } from 'node:http';
import { connect as connectTcp, type Socket } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { within } from '../../../test/support/deadline.ts';
import { run, startServer } from './support/server-process.ts';
import { callTool, messagesOf, openSession, openStream } from './support/wire.ts';

describe('the command line', () => {
	test.each([
		[['--bogus'], "Unknown option '--bogus'"],
		[['extra'], "Unexpected argument 'extra'"],
		[['--port'], '--port'],
		[['--port', '65536'], "not '65536'"],
		[['--port', '-1'], '--port'],
		[['--port='], "--port takes a number from 0 to 65535, not ''"],
		[['--host='], '--host takes'],
		[['--metrics', '0', '--metrics-host='], '--metrics-host takes'],
		[
			['--store', 'cassandra://here'],
			"--store takes memory, redis://host:port, postgres://host/database or a file such as ./sessions.db, not 'cassandra",
		],
		[['--store', 'postgres://me:s3/cret@db:x/shop'], "a file such as ./sessions.db, not 'postgres://…@db:x/shop'"],
		[['--sdk', 'v3'], "--sdk takes v1 or v2, not 'v3'"],
		[['--response-mode', 'xml'], '--response-mode takes auto or json or sse'],
		[['--auth', 'jwt'], '--auth jwt takes a --jwt-secret'],
		[['--jwt-secret', 's'], '--jwt-secret is for --auth jwt'],
		[['--stateless'], '--stateless is for --sdk v2'],
		[['--request-state-key', 'short'], '--request-state-key takes 32 characters or more'],
		[['--auth', 'basic', '--jwt-secret', 's'], "--auth takes none or jwt, not 'basic'"],
		[['--sse-grace-ms', '0'], '--sse-grace-ms takes at least 1'],
		[['--suspend-after-ms', '-1'], '--suspend-after-ms'],
		[['--keep-ended-ms', '1e3'], "--keep-ended-ms takes a number of milliseconds, not '1e3'"],
		[['--max-sessions-per-principal', 'few'], "--max-sessions-per-principal takes a number, not 'few'"],
		[['--console', 'yes'], "--console takes a number from 0 to 65535, not 'yes'"],
		[['--metrics', 'yes'], "--metrics takes a number from 0 to 65535, not 'yes'"],
		[['--keep-alive-ms', 'soon'], "--keep-alive-ms takes a number of milliseconds, not 'soon'"],
	])('refuses %j with one line that says why', async (args, why) => {
		const { code, stdout, stderr } = await run(...args);
		expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
		expect(stderr).toMatch(/^everything-server: .+ Try --help\.\n$/);
		expect(stderr).toContain(why);
	});

	test('shows every flag with --help', async () => {
		const { code, stdout, stderr } = await run('--help');
		expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
		for (const flag of [
			'--port',
			'--host',
			'--store',
			'--sdk',
			'--allowed-host',
			'--response-mode',
			'--keep-alive-ms',
			'--auth',
			'--jwt-secret',
			'--idle-ttl-ms',
			'--suspend-after-ms',
			'--keep-ended-ms',
			'--max-sessions-per-principal',
			'--metrics',
			'--metrics-host',
			'--drain-delay-ms',
			'--drain-timeout-ms',
			'--drain-idle-ms',
			'--sse-grace-ms',
			'--help',
		]) {
			expect(stdout).toContain(flag);
		}
	});

	test.each(['--port', '--metrics', '--console'])('says so when the port of %s is taken', async (flag) => {
		const { origin } = await startServer();
		const { code, stdout, stderr } = await run('--port', '0', flag, new URL(origin).port);
		expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
		expect(stderr).toBe(`everything-server: The port is in use; choose another with ${flag}, or 0 for a free one.\n`);
	});

	test.each(['--host', '--metrics-host'])('says so when the address of %s is not of this machine', async (flag) => {
		// An address for documentation (RFC 5737).
		const { code, stderr } = await run('--port', '0', '--metrics', '0', flag, '192.0.2.1');
		expect({ code, stderr }).toEqual({
			code: 1,
			stderr: `everything-server: This machine has no such address; choose another ${flag}.\n`,
		});
	});

	test.each(['v1', 'v2'])('prints one line with its URL for SDK %s, and nothing more until it ends', async (sdk) => {
		const server = await startServer('--sdk', sdk);
		await openSession(server.url);
		const { code, stdout, stderr } = await server.end('SIGTERM');
		expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
		expect(stdout).toBe(`Holdfast everything-server (SDK ${sdk}, store memory) listening on ${server.url}\n`);
		expect(server.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/mcp$/);
	});
});

test('the password of the store is not written', async () => {
	const server = await startServer('--store', 'redis://:s3cret@127.0.0.1:1/0');
	const { code, stdout, stderr } = await server.end('SIGTERM');
	expect(code).toBe(0);
	expect(stdout).toContain('store redis://…@127.0.0.1:1/0) listening on');
	expect(stdout + stderr).not.toContain('s3cret');
});

describe('metrics', () => {
	test('are served on a port of their own, for Prometheus, until the server stops', async () => {
		const server = await startServer('--metrics', '0');
		await openSession(server.url);
		const { metricsUrl = '' } = server;
		const response = await fetch(metricsUrl);
		expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
		const text = await response.text();
		expect(text).toContain('mcp_server_operation_duration_seconds_count{mcp_method_name="initialize"');
		expect(text).toContain('\nholdfast_session_active 1\n');
		expect((await fetch(new URL('/', metricsUrl))).status).toBe(404);
		expect((await fetch(`${server.origin}/metrics`)).status).toBe(404);
		expect(await server.end('SIGTERM')).toMatchObject({ code: 0, stderr: '' });
	});

	test('are served at the address that is named', async () => {
		const { metricsUrl = '' } = await startServer('--metrics', '0', '--metrics-host', '127.0.0.2');
		expect(new URL(metricsUrl).hostname).toBe('127.0.0.2');
		expect((await fetch(metricsUrl)).status).toBe(200);
	});

	test('are not there unless they are asked for', async () => {
		expect((await startServer()).metricsUrl).toBeUndefined();
	});
});

describe('health', () => {
	test('/healthz and /readyz answer 200 with JSON', async () => {
		const { origin } = await startServer();
		for (const path of ['/healthz', '/readyz?from=balancer']) {
			const response = await fetch(`${origin}${path}`);
			expect(response.status).toBe(200);
			expect(response.headers.get('content-type')).toBe('application/json');
			expect(await response.json()).toBeTypeOf('object');
		}
	});

	test('other methods are refused, other paths unknown', async () => {
		const { origin } = await startServer();
		expect((await fetch(`${origin}/healthz`, { method: 'POST' })).status).toBe(405);
		expect((await fetch(`${origin}/nothing`)).status).toBe(404);
	});

	test('/readyz answers 503 once the server was told to stop', async () => {
		const server = await startServer();
		const socket = await openSocket(server.origin);
		// The first line of a request keeps its connection open while the server stops.
		socket.write('GET /readyz HTTP/1.1\r\n');
		const { body } = await openStream(server.url, await openSession(server.url));
		const ended = server.end('SIGTERM');
		await within(body?.pipeTo(new WritableStream()) ?? Promise.resolve(), 'the session stream to end', 10_000);
		socket.write('Host: localhost\r\n\r\n');
		let answer = '';
		for await (const text of socket) answer += text;
		expect(answer).toMatch(/^HTTP\/1\.1 503 /);
		expect(answer).toContain('{"ready":false}');
		expect((await ended).code).toBe(0);
	});
});

describe('requests under another name', () => {
	test('are refused unless the name is allowed', async () => {
		const strict = await startServer();
		const open = await startServer('--allowed-host', 'mcp.example.com', '--allowed-host', 'other.example.com');
		expect(await statusUnderName(strict.url, 'mcp.example.com')).toBe(403);
		expect(await statusUnderName(open.url, 'mcp.example.com')).toBe(400);
		expect(await statusUnderName(open.url, 'other.example.com')).toBe(400);
		expect(await statusUnderName(open.url, 'third.example.com')).toBe(403);
	});
});

describe.each(['SIGTERM', 'SIGINT'] as const)('%s', (signal) => {
	test('ends streams, lets calls end, and ends the process with code 0', async () => {
		const server = await startServer();
		const sessionId = await openSession(server.url);
		const stream = await openStream(server.url, sessionId);
		const call = await callTool(server.url, sessionId, 'log_many', { count: 2, intervalMs: 1_000 });
		const messages = messagesOf(call);
		expect((await messages.next()).value).toMatchObject({ params: { data: { n: 1 } } });
		const ended = server.end(signal);
		await within(stream.body?.pipeTo(new WritableStream()) ?? Promise.resolve(), 'the session stream to end', 10_000);
		expect((await messages.next()).value).toMatchObject({ params: { data: { n: 2 } } });
		expect((await messages.next()).value).toMatchObject({ result: { structuredContent: { count: 2 } } });
		await within(drained(messages), 'the stream of the call to end', 10_000);
		expect(await ended).toMatchObject({ code: 0, stderr: '' });
	});

	test.each([
		['a second one', [], 2],
		['the end of its patience', ['--drain-timeout-ms', '0'], 1],
	])('with %s ends calls with an error, and the process with code 0', async (_, flags, signals) => {
		const server = await startServer(...flags);
		const sessionId = await openSession(server.url);
		const stream = await openStream(server.url, sessionId);
		const call = await callTool(server.url, sessionId, 'log_many', { count: 2, intervalMs: 600_000 });
		const messages = messagesOf(call);
		expect((await messages.next()).value).toMatchObject({ params: { data: { n: 1 } } });
		const ended = server.end(signal);
		await within(stream.body?.pipeTo(new WritableStream()) ?? Promise.resolve(), 'the session stream to end', 10_000);
		if (signals === 2) void server.end(signal);
		expect((await messages.next()).value).toMatchObject({ error: { code: -32000 } });
		await within(drained(messages), 'the stream of the call to end', 10_000);
		expect(await ended).toMatchObject({ code: 0, stderr: '' });
	});
});

async function openSocket(origin: string): Promise<Socket> {
	const { hostname, port } = new URL(origin);
	const socket = connectTcp({ host: hostname, port: Number(port) }).setEncoding('utf8');
	onTestFinished(() => {
		socket.destroy();
	});
	await once(socket, 'connect');
	return socket;
}

/** The status of a GET without a session, sent under the name `host`. */
async function statusUnderName(url: string, host: string): Promise<number | undefined> {
	const sent = request(url, { headers: { Host: host, Accept: 'text/event-stream' } }).end();
	const [response] = await once(sent, 'response');
	response.resume();
	return response.statusCode;
}

async function drained(messages: AsyncIterable<unknown>): Promise<void> {
	for await (const _ of messages);
}
