import { McpServer, ProtocolError } from '@modelcontextprotocol/server';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { Loose } from '../../../../test/support/clients/wire-response.ts';
import { settle } from '../../../../test/support/deadline.ts';
import { doors } from '../../../../test/support/doors.ts';
import { Rig, textOf } from '../../../../test/support/rig.ts';
import { v2McpServer } from '../../../../test/support/servers.ts';
import { ask, callTool, envelope, statelessMessage } from '../../../../test/support/stateless-request.ts';

const key = (name: string) => `io.modelcontextprotocol/${name}`;
const text = (value: string) => ({ content: [{ type: 'text' as const, text: value }] });
const inputSchema = z.object({ word: z.string() });

/** What servers were told to answer `server/discover`, as the SDK's entry does with each that it makes known. */
let prepared = 0;

function speaking() {
	const server = new McpServer({ name: 'speaking', version: '1' }, { capabilities: { logging: {} } });
	const setHandler = server.server.setRequestHandler.bind(server.server) as (...args: unknown[]) => void;
	Object.assign(server.server, {
		setRequestHandler(...args: unknown[]) {
			if (args[0] === 'server/discover') prepared++;
			setHandler(...args);
		},
	});
	server.registerTool('say', { inputSchema }, ({ word }) => text(word));
	server.registerTool('who', {}, () =>
		text(JSON.stringify([server.server.getClientVersion(), server.server.getClientCapabilities()])),
	);
	server.registerTool('mirrored', { inputSchema: z.object({ a: z.string().meta({ 'x-mcp-header': 'A' }) }) }, () =>
		text('mirrored'),
	);
	server.registerTool('scoped', { scopeChallenge: () => ({ scopes: ['more'] }) } as object, () => text('let in'));
	server.registerTool('fails', {}, () => {
		throw new ProtocolError(-32000, 'no');
	});
	server.registerTool('off', {}, () => text('on')).disable();
	return server;
}

/** Requests that differ from a good one, in all that is looked at before a server is asked. */
const say = (params: Loose = {}, meta: Loose = {}, changed: Loose = {}): Loose => ({
	...statelessMessage('tools/call', { name: 'say', arguments: { word: 'hello' }, ...params }),
	...changed,
	...(!('params' in changed) && {
		params: { name: 'say', arguments: { word: 'hello' }, ...params, _meta: { ...envelope(), ...meta } },
	}),
});
const requests: readonly (readonly [what: string, message: Loose, headers?: Record<string, string | undefined>])[] = [
	['a good one', say()],
	['an id of text', say({}, {}, { id: 'one' })],
	['an id that is null', say({}, {}, { id: null })],
	['an id that is no integer', say({}, {}, { id: 1.5 })],
	['an id that is an object', say({}, {}, { id: {} })],
	['no id', say({}, {}, { id: undefined })],
	['another JSON-RPC', say({}, {}, { jsonrpc: '1.0' })],
	['a member too many', say({}, {}, { extra: true })],
	['a result too', say({}, {}, { result: {} })],
	['params that are a list', say({}, {}, { params: [] })],
	['a name that is a number', say({ name: 5 }), { 'mcp-name': '5' }],
	['a name of a tool that is not there', say({ name: 'nobody' })],
	['a name of every object', say({ name: 'constructor' })],
	['a tool that is disabled', say({ name: 'off', arguments: {} })],
	['a tool that fails', say({ name: 'fails', arguments: {} })],
	['a tool that asks for more scopes', say({ name: 'scoped', arguments: {} })],
	['a tool whose argument is in no header', say({ name: 'mirrored', arguments: { a: 'b' } })],
	['a tool whose argument is in a header', say({ name: 'mirrored', arguments: { a: 'b' } }), { 'mcp-param-a': 'b' }],
	['arguments of another kind', say({ arguments: { word: 5 } })],
	['arguments that are no object', say({ arguments: 'word' })],
	['a task', say({ task: { ttl: 1 } })],
	['state that nobody gave', say({ requestState: 'forged' })],
	['answers that nobody asked for', say({ inputResponses: { a: {} } })],
	['answers that are no object', say({ inputResponses: 'all' })],
	['no version in the body', say({}, { [key('protocolVersion')]: undefined })],
	['a later version in the body', say({}, { [key('protocolVersion')]: '2099-01-01' })],
	['a version with sessions in the body', say({}, { [key('protocolVersion')]: '2025-11-25' })],
	['client information that is null', say({}, { [key('clientInfo')]: null })],
	['client information without a version', say({}, { [key('clientInfo')]: { name: 'a' } })],
	['no client information', say({}, { [key('clientInfo')]: undefined })],
	['capabilities that are a list', say({}, { [key('clientCapabilities')]: [] })],
	['no capabilities', say({}, { [key('clientCapabilities')]: undefined })],
	['capabilities of another kind', say({}, { [key('clientCapabilities')]: { roots: 'all' } })],
	['a level', say({}, { [key('logLevel')]: 'info' })],
	['a level that nobody knows', say({}, { [key('logLevel')]: 'loud' })],
	['a progress token', say({}, { progressToken: 7 })],
	['a progress token that is an object', say({}, { progressToken: {} })],
	['a progress token that is no integer', say({}, { progressToken: 0.5 })],
	['a trace', say({}, { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' })],
	['a trace that is a number', say({}, { traceparent: 5 })],
	['a key of its own', say({}, { 'example.com/own': [] })],
	['a related task of another kind', say({}, { [key('related-task')]: 'all' })],
	['no version in the headers', say(), { 'mcp-protocol-version': undefined }],
	['a later version in the headers', say(), { 'mcp-protocol-version': '2099-01-01' }],
	['a version with sessions in the headers', say(), { 'mcp-protocol-version': '2025-11-25' }],
	['no method in the headers', say(), { 'mcp-method': undefined }],
	['another method in the headers', say(), { 'mcp-method': 'tools/list' }],
	['no name in the headers', say(), { 'mcp-name': undefined }],
	['another name in the headers', say(), { 'mcp-name': 'who' }],
	['a name in base64', say(), { 'mcp-name': `=?base64?${btoa('say')}?=` }],
	['a name in base64 of another tool', say(), { 'mcp-name': `=?base64?${btoa('who')}?=` }],
	['a name that looks like base64', say({ name: '=?base64?%?=' })],
	['a type with a character set', say(), { 'content-type': 'application/json; charset=utf-8' }],
	['a type that is not JSON', say(), { 'content-type': 'text/plain' }],
	['another method', { ...say(), method: 'tools/list' }],
];

describe.each(doors)('calls of a client that is known, through $name', (door) => {
	const open = (options: { reuseServers?: boolean; createServer?: () => McpServer } = {}) => {
		const { createServer = speaking, ...stateless } = options;
		return Rig.open(door, { sdk: v2McpServer, stateless, createServer });
	};
	const answerTo = async (rig: Rig, message: Loose, headers?: Record<string, string | undefined>) => {
		const response = await ask(rig, message, headers);
		return [response.status, response.headers.get('content-type'), await response.text()];
	};

	it.each([false, true])('every request is answered as one of an unknown client, servers reused: %s', async (reuse) => {
		const known = await open({ reuseServers: reuse });
		expect((await answerTo(known, say()))[0]).toBe(200);
		for (const [what, message, headers] of requests) {
			const unknown = await open({ reuseServers: reuse });
			const expected = await answerTo(unknown, message, headers);
			expect([what, ...(await answerTo(known, message, headers))]).toEqual([what, ...expected]);
			expect(known.errors.map(String)).toEqual(unknown.errors.map(String));
			known.errors.length = 0;
		}
	});

	it('they need not be checked by the SDK again', async () => {
		const rig = await open();
		prepared = 0;
		for (const word of ['a', 'b', 'c']) {
			const answer = await callTool(rig, 'say', { word });
			expect(textOf(await answer.json())).toBe(word);
		}
		expect([prepared, rig.made.length]).toEqual([1, 3]);
		const traced = say({}, { progressToken: 'p', [key('logLevel')]: 'info', traceparent: 'x' });
		expect((await answerTo(rig, traced))[0]).toBe(200);
		expect(prepared).toBe(1);
	});

	it('what a client says of itself reaches its server', async () => {
		const rig = await open({ reuseServers: true });
		for (const name of ['ann', 'bob', 'ann', 'ann', 'bob', 'bob']) {
			const clientInfo = { name, version: '1' };
			const capabilities = name === 'ann' ? { sampling: {} } : {};
			const answer = await callTool(rig, 'who', {}, { clientInfo, capabilities });
			expect(JSON.parse(textOf(await answer.json()))).toEqual([clientInfo, capabilities]);
			await settle();
		}
		expect(rig.made).toHaveLength(1);
	});

	it('who watches a server hears of every call and of its end', async () => {
		const seen: string[] = [];
		const createServer = () => {
			const server = speaking();
			const connect = server.connect.bind(server);
			server.connect = async (transport) => {
				await connect(transport);
				const { onmessage, onclose } = transport;
				transport.onmessage = (...args) => {
					seen.push('message');
					onmessage?.(...args);
				};
				transport.onclose = () => {
					seen.push('close');
					onclose?.();
				};
			};
			return server;
		};
		const rig = await open({ createServer });
		for (const word of ['a', 'b']) {
			expect(textOf(await (await callTool(rig, 'say', { word })).json())).toBe(word);
			await settle();
		}
		expect(seen).toEqual(['message', 'close', 'message', 'close']);
	});

	it('a server hears that it is closed', async () => {
		let closed = 0;
		const rig = await open({
			createServer() {
				const server = speaking();
				server.server.onclose = () => {
					closed++;
				};
				return server;
			},
		});
		for (const word of ['a', 'b', 'c']) {
			await (await callTool(rig, 'say', { word })).json();
			await settle();
		}
		expect(closed).toBe(3);
	});

	it('a server of a class of its own is asked for scopes each time', async () => {
		const asked: string[] = [];
		class Strict extends McpServer {
			override resolveScopeChallenge: McpServer['resolveScopeChallenge'] = ({ request }) => {
				asked.push(request.method);
				return undefined;
			};
		}
		const rig = await open({
			createServer() {
				const server = new Strict({ name: 'strict', version: '1' });
				server.registerTool('say', { inputSchema }, ({ word }) => text(word));
				return server;
			},
		});
		for (const word of ['a', 'b', 'c']) expect(textOf(await (await callTool(rig, 'say', { word })).json())).toBe(word);
		expect(asked).toEqual(Array(3).fill('tools/call'));
	});

	it('a server that cannot be made is an error of this request', async () => {
		let fails = false;
		const rig = await open({
			createServer() {
				if (fails) throw new Error('out of servers');
				return speaking();
			},
		});
		await (await callTool(rig, 'say', { word: 'a' })).json();
		fails = true;
		const answer = await callTool(rig, 'say', { word: 'b' });
		expect([answer.status, (await answer.json()).error?.code]).toEqual([500, -32603]);
		expect(rig.errors.map(({ message }) => message)).toEqual([
			'The function that makes servers failed for a request of 2026-07-28.',
		]);
	});
});
