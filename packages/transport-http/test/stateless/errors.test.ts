import { inputRequired, McpServer, ProtocolError, UrlElicitationRequiredError } from '@modelcontextprotocol/server';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { Loose } from '../../../../test/support/clients/wire-response.ts';
import { Happening } from '../../../../test/support/deadline.ts';
import { doors } from '../../../../test/support/doors.ts';
import { Rig, type RigOptions, textOf } from '../../../../test/support/rig.ts';
import { v2McpServer } from '../../../../test/support/servers.ts';
import {
	ask,
	callTool,
	envelope,
	STATELESS,
	statelessHeaders,
	statelessMessage,
} from '../../../../test/support/stateless-request.ts';

const key = (name: string) => `io.modelcontextprotocol/${name}`;
const name = { type: 'object' as const, properties: { name: { type: 'string' as const } } };
const who = inputRequired.elicit({ message: 'Who?', requestedSchema: name });
const advice = inputRequired.createMessage({
	messages: [{ role: 'user', content: { type: 'text', text: 'Well?' } }],
	maxTokens: 1,
});

/** A server with something of everything, whose tools go wrong in every way. */
function everything() {
	const server = new McpServer(
		{ name: 'everything', version: '1' },
		{ capabilities: { completions: {}, logging: {}, tools: {}, prompts: {}, resources: {} } },
	);
	const failing: Record<string, () => never> = {
		throw() {
			throw new Error('broken');
		},
		url() {
			throw new UrlElicitationRequiredError([
				{ mode: 'url', message: 'Pay', url: 'https://a.example', elicitationId: 'e' },
			]);
		},
	};
	for (const [tool, run] of Object.entries(failing)) server.registerTool(tool, {}, run);
	server.registerTool('strict', { inputSchema: z.object({ n: z.int() }) }, () => ({ content: [] }));
	server.registerTool('asks', {}, ({ mcpReq: { inputResponses } }) =>
		inputResponses?.['who'] === undefined
			? inputRequired({ inputRequests: { who } })
			: { content: [{ type: 'text' as const, text: Object.keys(inputResponses).join() }] },
	);
	server.registerTool('samples', {}, () => inputRequired({ inputRequests: { advice } }));
	server.registerTool('says', {}, async () => {
		await server.server.sendLoggingMessage({ level: 'error', data: 'nobody asked' });
		return { content: [] };
	});
	server.registerPrompt('greet', {}, ({ mcpReq: { inputResponses } }) =>
		inputResponses?.['who'] === undefined ? inputRequired({ inputRequests: { who } }) : { messages: [] },
	);
	server.registerResource('note', 'note://a', {}, (uri) => ({ contents: [{ uri: uri.href, text: 'noted' }] }));
	server.registerResource('asking', 'note://asking', {}, (_uri, { mcpReq: { inputResponses } }) =>
		inputResponses?.['who'] === undefined ? inputRequired({ inputRequests: { who } }) : { contents: [] },
	);
	server.registerResource('old', 'note://old', {}, () => {
		throw new ProtocolError(-32002, 'Resource not found');
	});
	return server;
}

describe.each(doors)('what goes wrong in 2026-07-28, through $name', (door) => {
	const open = (options: RigOptions = {}) =>
		Rig.open(door, { sdk: v2McpServer, stateless: {}, createServer: everything, ...options });
	const elicits = { capabilities: { elicitation: {} } };

	type Row = readonly [what: string, message: Loose, status: number, code: number | undefined];
	const rows: readonly Row[] = [
		['a revision that nobody serves', statelessMessage('tools/list', {}, { version: '2030-01-01' }), 400, -32022],
		['a method that nobody knows', statelessMessage('own/method'), 404, -32601],
		['a method of sessions', statelessMessage('resources/subscribe', { uri: 'note://a' }), 404, -32601],
		['a tool that nobody knows', statelessMessage('tools/call', { name: 'nobody' }), 200, -32602],
		['a tool without a name', statelessMessage('tools/call', {}), 200, -32602],
		['a resource that nobody knows', statelessMessage('resources/read', { uri: 'note://z' }), 200, -32602],
		[
			'a resource whose handler still says -32002',
			statelessMessage('resources/read', { uri: 'note://old' }),
			200,
			-32602,
		],
		['a prompt that nobody knows', statelessMessage('prompts/get', { name: 'nobody' }), 200, -32602],
		['a tool that asks for a page as 2025-11-25 did', statelessMessage('tools/call', { name: 'url' }), 200, -32603],
		['a filter that is none', statelessMessage('subscriptions/listen', {}), 200, -32602],
		[
			'a state that is no text',
			statelessMessage('tools/call', { name: 'asks', requestState: 7 }, elicits),
			200,
			-32602,
		],
	];

	it.each(rows)('%s', async (_what, message, status, code) => {
		const rig = await open();
		const version = message.params._meta[key('protocolVersion')];
		const answer = await ask(rig, message, { 'mcp-protocol-version': version });
		const body = await answer.json();
		expect([answer.status, body.error?.code, body.id]).toEqual([status, code, 1]);
		expect(answer.headers.get('content-type')).toBe('application/json');
		if (code === -32022) expect(body.error.data).toEqual({ supported: [STATELESS], requested: '2030-01-01' });
		expect(rig.errors).toEqual([]);
	});

	it('what a tool throws, and arguments that it does not take, are results that say so', async () => {
		const rig = await open();
		for (const [tool, args] of [
			['throw', {}],
			['strict', { n: 'x' }],
		] as const) {
			const answer = await callTool(rig, tool, args);
			const { result } = await answer.json();
			expect([answer.status, result.isError, result.resultType]).toEqual([200, true, 'complete']);
		}
	});

	it.each([
		['a form', statelessMessage('tools/call', { name: 'asks' }), { elicitation: { form: {} } }],
		['advice', statelessMessage('tools/call', { name: 'samples' }), { sampling: {} }],
		['a form, from a prompt', statelessMessage('prompts/get', { name: 'greet' }), { elicitation: { form: {} } }],
		[
			'a form, from a resource',
			statelessMessage('resources/read', { uri: 'note://asking' }),
			{ elicitation: { form: {} } },
		],
	])('a client is asked for %s only where it says that it can be', async (_what, message, requiredCapabilities) => {
		const rig = await open();
		const refused = await ask(rig, message);
		expect(refused.status).toBe(400);
		expect(await refused.json()).toMatchObject({ id: 1, error: { code: -32021, data: { requiredCapabilities } } });
		const params = { ...message.params, _meta: envelope({ capabilities: { elicitation: {}, sampling: {} } }) };
		const asked = await ask(rig, { ...message, params });
		const { result } = await asked.json();
		expect([asked.status, result.resultType]).toEqual([200, 'input_required']);
		expect(result).not.toHaveProperty('ttlMs');
		expect(result).not.toHaveProperty('cacheScope');
		expect(rig.errors).toEqual([]);
	});

	it('asks again for answers that are missing, and ignores those that it did not ask for', async () => {
		const rig = await open();
		const again = (inputResponses: Loose) =>
			ask(rig, statelessMessage('tools/call', { name: 'asks', inputResponses }, elicits));
		const missing = await (await again({ other: { action: 'accept', content: {} } })).json();
		expect(Object.keys(missing.result.inputRequests)).toEqual(['who']);
		const both = { who: { action: 'accept', content: {} }, other: { action: 'decline' } };
		expect(textOf(await (await again(both)).json())).toContain('who');
	});

	it('results that may be kept say for how long and for whom; all others say neither', async () => {
		const rig = await open();
		const kept = ['server/discover', 'tools/list', 'prompts/list', 'resources/list', 'resources/templates/list'];
		const messages = [
			...kept.map((method) => statelessMessage(method)),
			statelessMessage('resources/read', { uri: 'note://a' }),
		];
		for (const message of messages) {
			const { result } = await (await ask(rig, message)).json();
			expect([message.method, result.resultType]).toEqual([message.method, 'complete']);
			expect(Number.isSafeInteger(result.ttlMs) && result.ttlMs >= 0).toBe(true);
			expect(['public', 'private']).toContain(result.cacheScope);
			expect(result._meta[key('serverInfo')]).toEqual({ name: 'everything', version: '1' });
		}
		const { result } = await (await callTool(rig, 'says')).json();
		expect(result).not.toHaveProperty('ttlMs');
		expect(result).not.toHaveProperty('cacheScope');
	});

	it('requests that run at once may have one id, as nothing else of their clients is alike', async () => {
		const arrived = new Happening<string>('both calls');
		let waiting = 0;
		const rig = await open({
			createServer() {
				const server = new McpServer({ name: 'twins', version: '1' });
				server.registerTool('twin', { inputSchema: z.object({ n: z.int() }) }, async ({ n }, { mcpReq }) => {
					if (++waiting === 2) arrived.happen('');
					await arrived.wait();
					const progressToken = mcpReq._meta?.progressToken ?? 0;
					await mcpReq.notify({ method: 'notifications/progress', params: { progressToken, progress: n } });
					return { content: [{ type: 'text', text: `${n}` }] };
				});
				return server;
			},
		});
		const twins = await Promise.all([1, 2].map((n) => callTool(rig, 'twin', { n }, { progressToken: 'p' }, 'same')));
		for (const [index, twin] of twins.entries()) {
			await twin.ended();
			expect(twin.messages.map(({ message }) => message.params?.progress ?? textOf(message))).toEqual([
				index + 1,
				`${index + 1}`,
			]);
			expect((await twin.answer()).id).toBe('same');
		}
	});

	it('a log message that belongs to no request is sent nowhere, least of all on a listen stream', async () => {
		const rig = await open({
			createServer() {
				const server = everything();
				server.server.registerCapabilities({ tools: { listChanged: true } });
				return server;
			},
		});
		const stream = await ask(
			rig,
			statelessMessage('subscriptions/listen', { notifications: { toolsListChanged: true } }),
		);
		await stream.message(0);
		await (await callTool(rig, 'says', {}, { logLevel: 'debug' })).json();
		await rig.transport.notify.toolsChanged();
		await stream.message(1);
		expect(stream.messages.map(({ message }) => message.method)).toEqual([
			'notifications/subscriptions/acknowledged',
			'notifications/tools/list_changed',
		]);
	});

	it.each<readonly [what: string, body: string, code: number]>([
		['no JSON', '{"jsonrpc":', -32700],
		['nothing', '', -32700],
		['a list of requests of this era', JSON.stringify([statelessMessage('tools/list')]), -32600],
		['an empty list', '[]', -32600],
		['a response', '{"jsonrpc":"2.0","id":1,"result":{}}', -32600],
		['a number', '7', -32600],
		['another JSON-RPC', JSON.stringify({ ...statelessMessage('tools/list'), jsonrpc: '1.0' }), -32600],
		['an id that is none', JSON.stringify({ ...statelessMessage('tools/list'), id: {} }), -32600],
	])('a body of %s, whose headers name this era, is 400', async (_what, body, code) => {
		const rig = await open();
		const headers = statelessHeaders(statelessMessage('tools/list'));
		const answer = await rig.send({ headers, body });
		expect([answer.status, (await answer.json()).error?.code]).toEqual([400, code]);
	});

	it('a body that is too long is 413, and one in another coding 415', async () => {
		const rig = await open({ maxBodyBytes: 1_000 });
		const long = statelessMessage('tools/call', { name: 'says', arguments: { text: 'x'.repeat(2_000) } });
		expect((await ask(rig, long)).status).toBe(413);
		expect((await ask(rig, statelessMessage('tools/list'), { 'content-encoding': 'gzip' })).status).toBe(415);
	});
});
