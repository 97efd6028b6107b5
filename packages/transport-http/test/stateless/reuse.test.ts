import { McpServer } from '@modelcontextprotocol/server';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { Happening, settle } from '../../../../test/support/deadline.ts';
import { doors } from '../../../../test/support/doors.ts';
import { eventually } from '../../../../test/support/eventually.ts';
import { gatedTool } from '../../../../test/support/gated-tool.ts';
import { Rig, type RigOptions, textOf } from '../../../../test/support/rig.ts';
import { v2McpServer } from '../../../../test/support/servers.ts';
import { ask, callTool, statelessMessage } from '../../../../test/support/stateless-request.ts';

const text = (value: string) => ({ content: [{ type: 'text' as const, text: value }] });

describe.each(doors)('servers of requests without a session, through $name', (door) => {
	const open = (reuseServers: boolean, options: RigOptions = {}) =>
		Rig.open(door, { sdk: v2McpServer, stateless: { reuseServers }, ...options });
	const echo = async (rig: Rig, word: string) => {
		const said = textOf(await (await callTool(rig, 'echo', { text: word })).json());
		// A server is free once everything of its call has run.
		await settle();
		return said;
	};

	it('each request gets a server of its own', async () => {
		const rig = await open(false);
		for (const word of ['a', 'b', 'c']) expect(await echo(rig, word)).toBe(word);
		expect(rig.made).toHaveLength(3);
	});

	it('where they are reused, as many are made as run at once', async () => {
		const first = gatedTool();
		const rig = await open(true, { tools: { slow: first.tool } });
		for (const word of ['a', 'b', 'c']) expect(await echo(rig, word)).toBe(word);
		expect(rig.made).toHaveLength(1);
		const slow = callTool(rig, 'slow');
		await first.arrived.wait();
		for (const word of ['d', 'e']) expect(await echo(rig, word)).toBe(word);
		first.go.happen('slow');
		expect(textOf(await (await slow).answer())).toBe('slow');
		for (const word of ['f', 'g']) expect(await echo(rig, word)).toBe(word);
		expect(rig.made).toHaveLength(2);
	});

	it('a server that is reused keeps nothing of the client before', async () => {
		const seen: unknown[] = [];
		const rig = await open(true, {
			createServer() {
				const server = new McpServer({ name: 'looking', version: '1' });
				server.registerTool('look', {}, () => {
					seen.push(server.server.getClientVersion()?.name, server.server.getClientCapabilities());
					return text('seen');
				});
				return server;
			},
		});
		await (
			await callTool(rig, 'look', {}, { capabilities: { sampling: {} }, clientInfo: { name: 'ann', version: '1' } })
		).json();
		await settle();
		const message = statelessMessage('tools/call', { name: 'look' });
		delete message.params._meta['io.modelcontextprotocol/clientInfo'];
		await (await ask(rig, message)).json();
		expect(seen).toEqual(['ann', { sampling: {} }, undefined, {}]);
		expect(rig.made).toHaveLength(1);
	});

	it('what a tool still says after its response reaches nobody else, whatever id they chose', async () => {
		const go = new Happening<string>('the second call');
		const said = new Happening<string>('the late message');
		const rig = await open(true, {
			createServer() {
				const server = new McpServer({ name: 'late', version: '1' }, { capabilities: { logging: {} } });
				server.registerTool('late', {}, ({ mcpReq }) => {
					void go.wait().then(async () => {
						await mcpReq.log('error', 'for ann alone');
						said.happen('');
					});
					return text('ann');
				});
				server.registerTool('next', {}, async ({ mcpReq }) => {
					go.happen('');
					await said.wait();
					await mcpReq.log('error', 'for bob');
					return text('bob');
				});
				return server;
			},
		});
		expect(textOf(await (await callTool(rig, 'late', {}, { logLevel: 'debug' }, 'same')).json())).toBe('ann');
		await settle();
		const bob = await callTool(rig, 'next', {}, { logLevel: 'debug' }, 'same');
		await bob.ended();
		expect(bob.messages.map(({ message }) => message.params?.data ?? [message.id, textOf(message)])).toEqual([
			'for bob',
			['same', 'bob'],
		]);
		expect(rig.made).toHaveLength(1);
	});

	it('a server whose call was cancelled, refused or never answered is not used again', async () => {
		const arrived = new Happening<string>('the call');
		const rig = await open(true, {
			tools: {
				async hang({ signal }) {
					arrived.happen('');
					await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
					return 'too late';
				},
			},
		});
		const hanging = callTool(rig, 'hang');
		await arrived.wait();
		rig.clock.advance(200);
		(await hanging).drop();
		await eventually(() => rig.transport.stats().requestsInFlight).toBe(0);
		expect(await echo(rig, 'a')).toBe('a');
		expect(rig.made).toHaveLength(2);
	});

	it('the schema of a tool is converted once, and again when it is another', async () => {
		let conversions = 0;
		const counted = (schema: z.ZodObject) => {
			const { jsonSchema, ...standard } = schema['~standard'];
			const input: typeof jsonSchema.input = (options) => {
				conversions++;
				return jsonSchema.input(options);
			};
			return Object.assign(schema, { '~standard': { ...standard, jsonSchema: { ...jsonSchema, input } } });
		};
		let schema = counted(z.object({ region: z.string().meta({ 'x-mcp-header': 'Region' }) }));
		const rig = await open(false, {
			createServer() {
				const server = new McpServer({ name: 'schemas', version: '1' });
				server.registerTool('where', { inputSchema: schema }, (args) => text(JSON.stringify(args)));
				return server;
			},
		});
		const call = (args: object, headers: Record<string, string>) =>
			ask(rig, statelessMessage('tools/call', { name: 'where', arguments: args }), headers);
		for (let n = 0; n < 3; n++) {
			expect((await call({ region: 'eu' }, { 'mcp-param-region': 'eu' })).status).toBe(200);
			expect((await call({ region: 'eu' }, {})).status).toBe(400);
		}
		expect(conversions).toBe(1);
		schema = counted(z.object({ zone: z.string().meta({ 'x-mcp-header': 'Zone' }) }));
		expect((await call({ zone: 'a' }, {})).status).toBe(400);
		expect((await call({ zone: 'a' }, { 'mcp-param-zone': 'a' })).status).toBe(200);
		expect(conversions).toBe(2);
	});
});
