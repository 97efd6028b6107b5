import { McpServer } from '@modelcontextprotocol/server';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { Loose } from '../../../../test/support/clients/wire-response.ts';
import { doors } from '../../../../test/support/doors.ts';
import { Rig, textOf } from '../../../../test/support/rig.ts';
import { v2McpServer } from '../../../../test/support/servers.ts';
import { ask, envelope, statelessMessage } from '../../../../test/support/stateless-request.ts';

const sentinel = (text: string) => `=?base64?${Buffer.from(text).toString('base64')}?=`;
const call = (name: string, args: Loose = {}) => statelessMessage('tools/call', { name, arguments: args });

/** A server whose tool mirrors parameters in headers. */
function regional() {
	const server = new McpServer({ name: 'regional', version: '1' });
	const mirrored = (schema: z.ZodType, name: string) => schema.meta({ 'x-mcp-header': name });
	server.registerTool(
		'query',
		{
			inputSchema: z.object({
				region: mirrored(z.string(), 'Region').optional(),
				limit: mirrored(z.int(), 'Limit').optional(),
				dry: mirrored(z.boolean(), 'Dry').optional(),
				where: z.object({ city: mirrored(z.string(), 'City') }).optional(),
			}),
		},
		(args) => ({ content: [{ type: 'text' as const, text: JSON.stringify(args) }] }),
	);
	server.registerResource('note', 'note://a', {}, (uri) => ({ contents: [{ uri: uri.href, text: 'noted' }] }));
	server.registerPrompt('größe', {}, () => ({ messages: [] }));
	return server;
}

describe.each(doors)('the headers of 2026-07-28, through $name', (door) => {
	const open = () => Rig.open(door, { sdk: v2McpServer, stateless: {}, createServer: regional });

	type Row = readonly [what: string, message: Loose, headers: Record<string, string | undefined>, code?: number];
	const rows: readonly Row[] = [
		['no MCP-Protocol-Version', call('query'), { 'mcp-protocol-version': undefined }, -32020],
		['another MCP-Protocol-Version than the body', call('query'), { 'mcp-protocol-version': '2027-01-01' }, -32020],
		['a version with sessions in the header', call('query'), { 'mcp-protocol-version': '2025-11-25' }, -32020],
		['no Mcp-Method', call('query'), { 'mcp-method': undefined }, -32020],
		['another Mcp-Method than the body', call('query'), { 'mcp-method': 'tools/list' }, -32020],
		['an Mcp-Method in other letters', call('query'), { 'mcp-method': 'Tools/Call' }, -32020],
		['no Mcp-Name of a tool', call('query'), { 'mcp-name': undefined }, -32020],
		['another Mcp-Name than the tool', call('query'), { 'mcp-name': 'other' }, -32020],
		['an Mcp-Name that is no base64', call('query'), { 'mcp-name': '=?base64?%%?=' }, -32020],
		['an Mcp-Name in base64 of another tool', call('query'), { 'mcp-name': sentinel('other') }, -32020],
		['no Mcp-Name of a prompt', statelessMessage('prompts/get', { name: 'greet' }), { 'mcp-name': undefined }, -32020],
		[
			'no Mcp-Name of a resource',
			statelessMessage('resources/read', { uri: 'note://x' }),
			{ 'mcp-name': undefined },
			-32020,
		],
		...['tasks/get', 'tasks/update', 'tasks/cancel'].flatMap((method): Row[] => [
			[`no Mcp-Name of ${method}`, statelessMessage(method, { taskId: 't' }), { 'mcp-name': undefined }, -32020],
			[`another Mcp-Name of ${method}`, statelessMessage(method, { taskId: 't' }), { 'mcp-name': 'u' }, -32020],
		]),
		['an Mcp-Name in other letters', call('query'), { 'mcp-name': 'Query' }, -32020],
		[
			'an Mcp-Name that is not ASCII, and not in base64',
			statelessMessage('prompts/get', { name: 'größe' }),
			{ 'mcp-name': 'größe' },
			-32020,
		],
		[
			'an Mcp-Param that is not ASCII, and not in base64',
			call('query', { region: 'öst' }),
			{ 'mcp-param-region': 'öst' },
			-32020,
		],
		['an Mcp-Name in base64', call('query'), { 'mcp-name': sentinel('query') }],
		[
			'an Mcp-Name in base64 of a name that is not ASCII',
			statelessMessage('prompts/get', { name: 'größe' }),
			{ 'mcp-name': sentinel('größe') },
		],
		[
			'an Mcp-Name in base64 of a resource',
			statelessMessage('resources/read', { uri: 'note://a' }),
			{ 'mcp-name': sentinel('note://a') },
		],
		['white space around the values', call('query'), { 'mcp-name': '  query ', 'mcp-method': ' tools/call ' }],
		['no Mcp-Param of a value in the body', call('query', { region: 'eu' }), {}, -32020],
		['another Mcp-Param than the body', call('query', { region: 'eu' }), { 'mcp-param-region': 'us' }, -32020],
		['an Mcp-Param that is no base64', call('query', { region: 'eu' }), { 'mcp-param-region': '=?base64?%?=' }, -32020],
		['an Mcp-Param like the body', call('query', { region: 'eu' }), { 'mcp-param-region': 'eu' }],
		['an Mcp-Param in base64', call('query', { region: 'öst' }), { 'mcp-param-region': sentinel('öst') }],
		['an integer in another form', call('query', { limit: 5 }), { 'mcp-param-limit': '5.0' }],
		['another integer', call('query', { limit: 5 }), { 'mcp-param-limit': '6' }, -32020],
		['a boolean', call('query', { dry: true }), { 'mcp-param-dry': 'true' }],
		['a boolean in other letters', call('query', { dry: true }), { 'mcp-param-dry': 'True' }, -32020],
		['a value deep in the body', call('query', { where: { city: 'Rome' } }), { 'mcp-param-city': 'Rome' }],
		['no Mcp-Param of a value deep in the body', call('query', { where: { city: 'Rome' } }), {}, -32020],
		['no value, and no Mcp-Param', call('query', {}), {}],
		['null, and no Mcp-Param', call('query', { region: null }), {}],
	];

	it.each(rows)('%s', async (_what, message, headers, code) => {
		const rig = await open();
		const ascii = /^[\x20-\x7e]*$/.test(message.params.name ?? '') ? {} : { 'mcp-name': '' };
		const answer = await ask(rig, message, { ...ascii, ...headers });
		const body = await answer.json();
		expect([answer.status, body.error?.code]).toEqual([code === undefined ? 200 : 400, code]);
		expect(body.id).toBe(1);
		if (code === undefined) expect(body.result.resultType).toBe('complete');
		expect(rig.errors).toEqual([]);
	});

	it('names of headers may be written in any letters', async () => {
		const rig = await open();
		const message = call('query', { region: 'eu' });
		const answer = await rig.post(message, {
			'MCP-PROTOCOL-VERSION': '2026-07-28',
			'Mcp-Method': 'tools/call',
			'MCP-Name': 'query',
			'Mcp-Param-REGION': 'eu',
		});
		expect(textOf(await answer.json())).toBe('{"region":"eu"}');
	});

	it('a notification needs none of them', async () => {
		const rig = await open();
		const notification = { jsonrpc: '2.0', method: 'notifications/own', params: { _meta: envelope() } };
		const answer = await rig.post(notification);
		expect([answer.status, await answer.text()]).toEqual([202, '']);
		const odd = await ask(rig, notification, { 'mcp-method': 'notifications/other' });
		expect([odd.status, (await odd.json()).error?.code]).toEqual([400, -32020]);
	});

	const key = (name: string) => `io.modelcontextprotocol/${name}`;
	it.each([
		['no protocolVersion', { [key('protocolVersion')]: undefined }, 400, -32602],
		['no clientCapabilities', { [key('clientCapabilities')]: undefined }, 400, -32602],
		['client capabilities that are no object', { [key('clientCapabilities')]: 'all' }, 400, -32602],
		['client information without a name', { [key('clientInfo')]: { version: '1' } }, 400, -32602],
		['a log level that nobody knows', { [key('logLevel')]: 'loud' }, 400, -32602],
		['no clientInfo', { [key('clientInfo')]: undefined }, 200, undefined],
	])('_meta with %s', async (_what, changed, status, code) => {
		const rig = await open();
		const message = {
			...call('query'),
			params: { name: 'query', arguments: {}, _meta: { ...envelope(), ...changed } },
		};
		const answer = await ask(rig, JSON.parse(JSON.stringify(message)));
		const body = await answer.json();
		expect([answer.status, body.error?.code, body.id]).toEqual([status, code, 1]);
	});

	it('a request with no _meta, whose headers name this era, is refused as one of it', async () => {
		const rig = await open();
		const answer = await ask(rig, { jsonrpc: '2.0', id: 9, method: 'tools/list', params: {} });
		expect([answer.status, (await answer.json()).error?.code]).toEqual([400, -32602]);
	});

	it('version comes before headers, and those before the tool and its parameters', async () => {
		const rig = await open();
		const old = statelessMessage(
			'tools/call',
			{ name: 'query', arguments: { region: 'eu' } },
			{ version: '2030-01-01' },
		);
		const first = await ask(rig, old, { 'mcp-protocol-version': '2030-01-01', 'mcp-name': undefined });
		expect((await first.json()).error?.code).toBe(-32022);
		const second = await ask(rig, call('query', { region: 'eu' }), { 'mcp-name': undefined });
		expect((await second.json()).error?.message).toContain('Mcp-Name');
	});

	it('a content type that is not JSON is 415, and a client must accept both forms of a response', async () => {
		const rig = await open();
		expect((await ask(rig, call('query'), { 'content-type': 'text/plain' })).status).toBe(415);
		expect((await ask(rig, call('query'), { accept: 'application/json' })).status).toBe(406);
	});
});
