import { HttpTransport } from '@holdfast/transport-http';
import { afterEach, describe, expect, it } from 'vitest';
import { doors, type OpenDoor } from '../../../../test/support/doors.ts';
import { initializeMessage, postHeaders } from '../../../../test/support/rig.ts';
import { type Tool, v1McpServer } from '../../../../test/support/servers.ts';

type Auth = NonNullable<NonNullable<Parameters<HttpTransport['respond']>[1]>['authInfo']>;

/** What a verifier of tokens would say of the user named in a header of the test's own: `issuer|subject|token`. */
function authOf(header: string | string[] | null | undefined): Auth | undefined {
	if (typeof header !== 'string') return undefined;
	const [iss, sub, token = ''] = header.split('|');
	return { token, clientId: 'app', scopes: [], extra: { iss, sub } };
}

const owner: Tool = ({ session }) => String(session.principal);
const cleanups: (() => Promise<void>)[] = [];

afterEach(async () => {
	for (const cleanup of cleanups.splice(0)) await cleanup();
});

async function open(door: (typeof doors)[number]): Promise<OpenDoor> {
	const transport = new HttpTransport((session) => v1McpServer.make({ tools: { owner } }, session));
	const opened = await door.open({
		handle: (request, response) =>
			transport.handle(Object.assign(request, { auth: authOf(request.headers['x-user']) }), response),
		respond: (request) => transport.respond(request, { authInfo: authOf(request.headers.get('x-user')) }),
	});
	cleanups.push(opened.close, () => transport.close());
	return opened;
}

async function openSession(opened: OpenDoor, user: string | undefined): Promise<string> {
	const body = JSON.stringify(initializeMessage());
	const answer = await opened.send({ headers: { ...postHeaders, 'x-user': user }, body });
	expect(answer.status).toBe(200);
	return answer.headers.get('mcp-session-id') ?? '';
}

const call = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'owner', arguments: {} } });
const verbs = [
	{ verb: 'a call', method: 'POST', headers: postHeaders, body: call },
	{
		verb: 'a notification',
		method: 'POST',
		headers: postHeaders,
		body: '{"jsonrpc":"2.0","method":"notifications/initialized"}',
	},
	{ verb: 'an answer', method: 'POST', headers: postHeaders, body: '{"jsonrpc":"2.0","id":"x:1","result":{}}' },
	{ verb: 'the session stream', method: 'GET', headers: { accept: 'text/event-stream' } },
	{ verb: 'a resumed stream', method: 'GET', headers: { accept: 'text/event-stream', 'last-event-id': 'abc-1/n.0' } },
	{ verb: 'the end of the session', method: 'DELETE', headers: {} },
];
const strangers = [
	{ who: 'another subject', user: 'https://issuer|bob|t' },
	{ who: 'the same subject of another issuer', user: 'https://other|alice|t' },
	{ who: 'nobody in particular', user: undefined },
];

describe.each(doors)('a session that was opened by somebody (defect 22), through $name', (door) => {
	describe.each(strangers)('refuses $who', ({ user }) => {
		it.each(verbs)('$verb', async ({ method, headers, body }) => {
			const opened = await open(door);
			const id = await openSession(opened, 'https://issuer|alice|t1');
			const answer = await opened.send({
				method,
				headers: { ...headers, 'mcp-session-id': id, 'x-user': user },
				...(body !== undefined && { body }),
			});
			expect(answer.status).toBe(403);
			expect((await answer.json()).error).toMatchObject({ code: -32000 });
			const own = await opened.send({
				headers: { ...postHeaders, 'mcp-session-id': id, 'x-user': 'https://issuer|alice|t1' },
				body: call,
			});
			expect(own.status).toBe(200);
		});
	});

	it('goes on for the same person with a refreshed token', async () => {
		const opened = await open(door);
		const id = await openSession(opened, 'https://issuer|alice|t1');
		const headers = { ...postHeaders, 'mcp-session-id': id, 'x-user': 'https://issuer|alice|t2' };
		const answer = await opened.send({ headers, body: call });
		expect((await answer.json()).result.content[0].text).toBe('https://issuer alice');
		expect(answer.status).toBe(200);
	});

	it('is bound to nobody when nobody opened it', async () => {
		const opened = await open(door);
		const id = await openSession(opened, undefined);
		for (const user of [undefined, 'https://issuer|bob|t']) {
			const answer = await opened.send({
				headers: { ...postHeaders, 'mcp-session-id': id, 'x-user': user },
				body: call,
			});
			expect((await answer.json()).result.content[0].text).toBe('undefined');
		}
	});
});
