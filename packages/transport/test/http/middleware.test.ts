import type { IncomingMessage, ServerResponse } from 'node:http';
import compression from 'compression';
import session from 'express-session';
import morgan from 'morgan';
import serverless from 'serverless-http';
import { describe, expect, it } from 'vitest';
import { type Door, handleDoor } from '../../../../test/support/doors.ts';
import { eventually } from '../../../../test/support/eventually.ts';
import { initializeMessage, LATEST, postHeaders, Rig } from '../../../../test/support/rig.ts';

/** Middleware as Express calls it. */
type Middleware = (request: IncomingMessage, response: ServerResponse, next: () => void) => void;

const log: string[] = [];
const format = ':status :res[content-type] :res[mcp-session-id]';
// These versions wrap `writeHead` with on-headers 1.0, which knows headers as an object or as a list of pairs only.
// The types of all of them want the requests and responses of Express, of which they use only what Node.js has.
const wrappers = {
	morgan: morgan(format, { stream: { write: (line) => log.push(line) } }),
	compression: compression({ threshold: 0 }),
	'express-session': session({ secret: 'secret', resave: false, saveUninitialized: true }),
} as unknown as Record<string, Middleware>;
const chains = [...Object.entries(wrappers).map(([name, one]) => [name, [one]]), ['all', Object.values(wrappers)]];

describe.each(chains as [string, Middleware[]][])('behind middleware that wraps writeHead (%s)', (name, chain) => {
	it('every response has its own headers', async () => {
		log.length = 0;
		const rig = await Rig.open(behind(chain));
		const opened = await rig.post(initializeMessage(), { 'accept-encoding': 'gzip' });
		expect(opened.status).toBe(200);
		expect([...opened.headers.keys()].filter((header) => /^(.|\d+)$/.test(header))).toEqual([]);
		expect(opened.headers.get('content-type')).toBe('application/json');
		const id = String(opened.headers.get('mcp-session-id'));
		if (name === 'compression') expect(opened.headers.get('content-encoding')).toBe('gzip');
		if (name === 'morgan') await eventually(() => log[0]).toBe(`200 application/json ${id}\n`);
		if (name === 'express-session') expect(opened.headers.get('set-cookie')).toMatch(/^connect\.sid=/);

		const headers = { 'mcp-session-id': id, 'mcp-protocol-version': LATEST };
		const stream = await rig.send({ method: 'GET', headers: { accept: 'text/event-stream', ...headers } });
		expect(stream.headers.get('content-type')).toBe('text/event-stream');
		expect((await stream.block(0)).data).toBe('');
		expect((await rig.send({ method: 'DELETE', headers })).status).toBe(200);
		expect((await rig.post({}, headers)).status).toBe(404);
	});
});

it('a serverless function gets the status, the headers and the body of a response', async () => {
	const rig = await Rig.open(handleDoor);
	const invoke = serverless(rig.transport);
	const event = {
		httpMethod: 'POST',
		path: '/mcp',
		headers: { ...postHeaders, host: 'localhost' },
		body: JSON.stringify(initializeMessage()),
		requestContext: {},
	};
	const response = (await invoke(event, {})) as { statusCode: number; headers: object; body: string };
	expect(response.statusCode).toBe(200);
	expect(response.headers).toMatchObject({
		'content-type': 'application/json',
		'mcp-session-id': expect.stringMatching(/^[\w-]{32}$/),
	});
	expect(JSON.parse(response.body)).toMatchObject({ id: 'init', result: { protocolVersion: LATEST } });
});

/** The door of `node:http`, behind middleware. */
function behind(chain: readonly Middleware[]): Door {
	return {
		name: 'handle',
		open: ({ handle }) => {
			const run = (at: number, request: IncomingMessage, response: ServerResponse): void => {
				const middleware = chain[at];
				if (middleware === undefined) handle(request, response);
				else middleware(request, response, () => run(at + 1, request, response));
			};
			return handleDoor.open({ handle: (request, response) => run(0, request, response) });
		},
	};
}
