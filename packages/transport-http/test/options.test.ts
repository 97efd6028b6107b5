import { InMemoryInfoSessionManager, InMemoryStreamSessionManager } from '@holdfast/session-manager';
import { HttpTransport } from '@holdfast/transport-http';
import { SseTransport } from '@holdfast/transport-sse';
import { describe, expect, it } from 'vitest';
import { v1McpServer } from '../../../test/support/servers.ts';

const createServer = () => v1McpServer.make({ tools: {} }, undefined as never);
const info = new InMemoryInfoSessionManager();
const streams = new InMemoryStreamSessionManager();
const hosts = "a list of names without scheme, path or wildcard, such as ['mcp.example.com'], or 'any'";
const pair = 'sessionManager must be { streams, info }, a stream manager and an info manager';

/** Returns what a mistake is told as; `undefined` where there is none. */
function told(make: () => unknown): string | undefined {
	try {
		make();
	} catch (error) {
		expect(error).toBeInstanceOf(TypeError);
		return (error as Error).message;
	}
	return undefined;
}

const http = (options: unknown) => told(() => new HttpTransport(createServer, options as never));
const sse = (options: unknown) => told(() => new SseTransport(createServer, options as never));

describe('an option', () => {
	it.each([
		[{ idleTTLMs: 1 }, 'HttpTransport has no option idleTTLMs. Did you mean idleTtlMs?'],
		[{ idleTtl: 1 }, 'HttpTransport has no option idleTtl. Did you mean idleTtlMs?'],
		[{ allowedHost: 'any' }, 'HttpTransport has no option allowedHost. Did you mean allowedHosts?'],
		[{ onError() {} }, 'HttpTransport has no option onError. Did you mean onerror?'],
		[{ sessionManagers: {} }, 'HttpTransport has no option sessionManagers. Did you mean sessionManager?'],
		[{ colour: 'red' }, 'HttpTransport has no option colour.'],
	])('that does not exist is refused with the nearest that does: %j', (options, message) => {
		expect(http(options)).toBe(message);
	});

	it.each([
		[{ idleTtlMs: '30' }, "idleTtlMs must be a number of milliseconds, 0 or more, not '30'."],
		[{ idleTtlMs: Number.NaN }, 'idleTtlMs must be a number of milliseconds, 0 or more, not NaN.'],
		[{ keepAliveMs: -1 }, 'keepAliveMs must be a number of milliseconds, 0 or more, not -1.'],
		[{ retryMs: Number.POSITIVE_INFINITY }, 'retryMs must be a number of milliseconds, 0 or more, not Infinity.'],
		[{ maxStreams: 1.5 }, 'maxStreams must be a whole number, 0 or more, not 1.5.'],
		[{ maxBatch: null }, 'maxBatch must be a whole number above 0, not null.'],
		[{ maxBodyBytes: '4mb' }, "maxBodyBytes must be a number of bytes above 0, not '4mb'."],
		[{ cors: 'no' }, "cors must be true or false, not 'no'."],
		[{ onerror: 'log' }, "onerror must be a function, not 'log'."],
		[{ authenticate: {} }, 'authenticate must be a function, not an object.'],
		[{ tooManySessions: 'oldest' }, "tooManySessions must be 'refuse' or 'end-oldest', not 'oldest'."],
		[{ path: 'mcp' }, "path must be a path that begins with '/', without a query, or null, not 'mcp'."],
		[{ allowedHosts: 'mcp.example.com' }, `allowedHosts must be ${hosts}, not 'mcp.example.com'.`],
		[{ allowedHosts: ['a.example', 1] }, `allowedHosts must be ${hosts}, not a list whose member 2 is something else.`],
		[
			{ stateless: { requestState: { keys: ['k'.repeat(32), 'short'] } } },
			'stateless.requestState.keys must be a list of secrets of at least 32 bytes each, ' +
				'not a list whose member 2 is something else.',
		],
		[
			{ stateless: { requestState: { keys: [] } } },
			'stateless.requestState.keys must be a list of secrets of at least 32 bytes each, not an empty list.',
		],
		[{ clock: Date }, 'clock must be a Clock, with the methods now, monotonic and after, not the function Date.'],
	])('of the wrong kind is refused: %o', (options, message) => {
		expect(http(options)).toBe(`HttpTransport: ${message}`);
	});

	it.each([
		...['maxRequestsInFlight', 'maxMessageBytes', 'maxBodyBytes', 'maxBodyBytesInFlight', 'maxBatch'].map((name) => ({
			[name]: 0,
		})),
		{ stateless: { maxRequests: 0 } },
		{ allowedHosts: [] },
		...['https://mcp.example.com', '*', '*.example.com', 'mcp.example.com/mcp', 'mcp.example.com:https', ''].map(
			(host) => ({ allowedHosts: [host] }),
		),
		{ allowedOrigins: [] },
		...['https://a.example/', 'a.example', '*', 'https://*.example.com', 'https:a.example'].map((origin) => ({
			allowedOrigins: [origin],
		})),
		...['x', '/metadata', 'mcp.example.com', 'https://'].map((resourceMetadataUrl) => ({ resourceMetadataUrl })),
	])('that would refuse everything, or be of no use, is refused: %j', (options) => {
		expect(http(options)).toMatch(/^HttpTransport: [\w.]+ must be .* (above 0|'any'|http:\/\/), not /);
	});

	it.each([
		{ allowedHosts: ['mcp.example.com', 'mcp.example.com:8443', '[::1]', '[fe80::1]:80', '10.0.0.1', 'my_service'] },
		{ allowedOrigins: ['https://a.example', 'http://[::1]:80', 'vscode-webview://abc', 'null'] },
		{ resourceMetadataUrl: 'https://a.example/.well-known/oauth-protected-resource/mcp' },
	])('that names somebody is taken: %j', (options) => {
		expect(http(options)).toBeUndefined();
	});

	it.each([
		['a manager itself', info, 'an object of class InMemoryInfoSessionManager'],
		['the other manager itself', streams, 'an object of class InMemoryStreamSessionManager'],
		['the two the wrong way round', { streams: info, info: streams }, 'an object'],
		['other names', { stream: streams, sessions: info }, 'an object'],
		['a URL', 'redis://localhost', "'redis://localhost'"],
		['a list', [streams, info], 'a list'],
	])('sessionManager that is %s is refused, not taken for memory', (_, sessionManager, shown) => {
		expect(http({ sessionManager })).toBe(`HttpTransport: ${pair}, not ${shown}.`);
	});

	it('may be left out, undefined, or what the documentation says', () => {
		expect(http(undefined)).toBeUndefined();
		expect(http({ idleTtlMs: undefined, sessionManager: undefined })).toBeUndefined();
		expect(http({ sessionManager: {} })).toBeUndefined();
		expect(http({ sessionManager: { info, streams: undefined } })).toBeUndefined();
		expect(http({ sessionManager: { info, streams, close() {} }, path: null, allowedHosts: 'any' })).toBeUndefined();
		expect(http({ maxBodyBytes: Number.POSITIVE_INFINITY, maxStreams: 0, sseAfterMs: 0.5 })).toBeUndefined();
		expect(sse({ path: '/s', endpoint: '/m', graceMs: 10 })).toBeUndefined();
	});

	it('of HTTP+SSE is checked, too', () => {
		expect(sse({ grace: 10 })).toBe('SseTransport has no option grace. Did you mean graceMs?');
		expect(sse({ idleTtlMs: 10 })).toMatch(/^SseTransport has no option idleTtlMs\./);
		expect(sse({ path: 'sse' })).toBe(
			"SseTransport: path must be a path that begins with '/', without a query, not 'sse'.",
		);
	});

	it('is one of an object', () => {
		for (const make of [http, sse]) {
			expect(make(null)).toMatch(/^The options of \w+Transport must be an object, not null\.$/);
			expect(make('/mcp')).toMatch(/ must be an object, not '\/mcp'\.$/);
		}
	});
});

describe('an option of the managers in memory', () => {
	it('is checked when they are made; one object may serve both', () => {
		const info = (options: unknown) => told(() => new InMemoryInfoSessionManager(options as never));
		const streams = (options: unknown) => told(() => new InMemoryStreamSessionManager(options as never));
		for (const make of [info, streams]) {
			expect(make({ maxSessions: 5, history: { maxEvents: 1 }, maxBufferedBytes: 1 })).toBeUndefined();
			expect(make({ maxSession: 5 })).toMatch(/ has no option maxSession\. Did you mean maxSessions\?$/);
			expect(make({ history: { maxEvent: 5 } })).toMatch(
				/ has no option history\.maxEvent\. Did you mean history\.maxEvents\?$/,
			);
			expect(make({ history: { maxAgeMs: '5' } })).toMatch(
				/: history\.maxAgeMs must be a number of milliseconds, 0 or more, not '5'\.$/,
			);
			expect(make({ history: 5 })).toMatch(/: history must be \{ maxEvents, maxBytes, maxAgeMs \}, not 5\.$/);
		}
	});
});

describe('the first argument', () => {
	it('is a function that makes servers', () => {
		const message = 'The first argument of a transport must be a function that makes an SDK server, not';
		expect(told(() => new HttpTransport(undefined as never))).toBe(`${message} undefined.`);
		expect(told(() => new HttpTransport(createServer() as never))).toBe(`${message} an object of class McpServer.`);
	});
});
