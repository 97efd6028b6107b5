import {
	CreateMessageRequestSchema,
	ElicitRequestSchema,
	ListRootsRequestSchema,
	PromptListChangedNotificationSchema,
	ResourceListChangedNotificationSchema,
	ResourceUpdatedNotificationSchema,
	ToolListChangedNotificationSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { beforeAll, describe, expect, test } from 'vitest';
import { within } from '../../../test/support/deadline.ts';
import { connect, take } from './support/client.ts';
import { launchServer } from './support/server-process.ts';
import { callTool, type Message, messagesOf, openSession, openStream } from './support/wire.ts';

const names = [
	'test_simple_text',
	'test_image_content',
	'test_audio_content',
	'test_embedded_resource',
	'test_multiple_content_types',
	'test_tool_with_logging',
	'test_tool_with_progress',
	'test_error_handling',
	'test_reconnection',
	'test_sampling',
	'test_elicitation',
	'test_elicitation_sep1034_defaults',
	'test_elicitation_sep1330_enums',
	'json_schema_2020_12_tool',
	'session_info',
	'sleep',
	'log_many',
	'log_session',
	'notify_updated',
	'notify_list_changed',
	'ask',
	'ask_url',
	'sample',
	'list_roots',
	'counter_add',
	'state_set',
	'state_get',
	'mark',
	'end_session',
];

describe.each(['v1', 'v2'])('with SDK %s', (sdk) => {
	let url = '';

	beforeAll(async () => {
		const server = await launchServer('--sdk', sdk);
		url = server.url;
		return () => server.kill();
	});

	test('lists every tool, resource, template and prompt', async () => {
		const { client } = await connect(url);
		const { tools } = await client.listTools();
		expect(tools.map(({ name }) => name)).toEqual(names);
		expect(tools.find(({ name }) => name === 'ask')?.inputSchema).toMatchObject({
			type: 'object',
			properties: { message: { type: 'string' } },
			required: ['message'],
		});
		const { resources } = await client.listResources();
		expect(resources.map(({ uri }) => uri)).toEqual([
			'test://static-text',
			'test://static-binary',
			'test://watched-resource',
		]);
		const { resourceTemplates } = await client.listResourceTemplates();
		expect(resourceTemplates.map(({ uriTemplate }) => uriTemplate)).toEqual(['test://template/{id}/data']);
		const { prompts } = await client.listPrompts();
		expect(prompts.map(({ name }) => name)).toEqual([
			'test_simple_prompt',
			'test_prompt_with_arguments',
			'test_prompt_with_embedded_resource',
			'test_prompt_with_image',
		]);
	});

	test('lists schemas that every client takes: without `$schema` or a reference to itself', async () => {
		const { client } = await connect(url);
		const { tools } = await client.listTools();
		for (const { name, inputSchema } of tools) {
			// The conformance suite wants this one as it is, with both.
			if (name === 'json_schema_2020_12_tool') continue;
			expect([name, JSON.stringify(inputSchema)]).toEqual([name, expect.not.stringMatching(/\$schema|\$ref|\$defs/)]);
			expect(inputSchema.type).toBe('object');
		}
	});

	test('completes the arguments of a prompt', async () => {
		const { client } = await connect(url);
		const { completion } = await client.complete({
			ref: { type: 'ref/prompt', name: 'test_prompt_with_arguments' },
			argument: { name: 'arg1', value: 'par' },
		});
		expect(completion.values).toEqual(['paris', 'park', 'party']);
	});

	test('session_info tells what the session is and what the client asked for', async () => {
		const { client, sessionId, call } = await connect(url);
		const fresh = await call('session_info');
		expect(fresh).toEqual({
			sessionId,
			nodeId: expect.stringMatching(/.+/),
			clientInfo: { name: 'test-client', version: '1.2.3' },
			protocolVersion: '2025-11-25',
			principal: null,
			logLevel: null,
			subscriptions: [],
			status: 'active',
			expiresAt: expect.any(Number),
		});
		expect(fresh['expiresAt']).toBeGreaterThan(Date.now());
		await client.setLoggingLevel('warning');
		await client.subscribeResource({ uri: 'test://watched-resource' });
		expect(await call('session_info')).toEqual({
			...fresh,
			logLevel: 'warning',
			subscriptions: ['test://watched-resource'],
			expiresAt: expect.any(Number),
		});
		await client.unsubscribeResource({ uri: 'test://watched-resource' });
		expect(await call('session_info')).toMatchObject({ subscriptions: [] });
	});

	test('sleep answers with its node, and a cancelled one does not hold up the session', async () => {
		const { client, call } = await connect(url);
		const { nodeId } = await call('session_info');
		expect(await call('sleep', { ms: 1 })).toEqual({ nodeId });
		const cancel = new AbortController();
		const sleeping = client.callTool({ name: 'sleep', arguments: { ms: 600_000 } }, undefined, {
			signal: cancel.signal,
		});
		cancel.abort('enough');
		await expect(sleeping).rejects.toThrow('enough');
		expect(await call('sleep', { ms: 0 })).toEqual({ nodeId });
	});

	test('log_many sends numbered messages on the stream of the call, before its response', async () => {
		const sessionId = await openSession(url);
		const response = await callTool(url, sessionId, 'log_many', { count: 3, intervalMs: 1, level: 'notice' });
		const messages = await all(response);
		expect(messages.slice(0, -1)).toEqual([1, 2, 3].map((n) => logged('notice', n)));
		expect(messages.at(-1)).toMatchObject({ id: 1, result: { structuredContent: { count: 3 } } });
	});

	test('log_many sends nothing below the level that the client asked for', async () => {
		const { client, call } = await connect(url);
		await client.setLoggingLevel('error');
		const errors: unknown[] = [];
		client.fallbackNotificationHandler = async (message) => {
			errors.push(message);
		};
		await call('log_many', { count: 2, level: 'info' });
		await call('log_many', { count: 1, level: 'error' });
		expect(errors).toEqual([logged('error', 1)]);
	});

	test('log_session sends numbered messages on the session stream, and none on that of the call', async () => {
		const sessionId = await openSession(url);
		const stream = messagesOf(await openStream(url, sessionId));
		const response = await callTool(url, sessionId, 'log_session', { count: 3 });
		expect(await response.json()).toMatchObject({ result: { structuredContent: { count: 3 } } });
		for (const n of [1, 2, 3]) {
			expect((await within(stream.next(), `message ${n}`, 10_000)).value).toEqual(logged('info', n));
		}
	});

	test('notify_updated reaches who is subscribed, and nobody else', async () => {
		const uri = 'test://watched-resource';
		const { client } = await connect(url);
		const told = take<string>(3, (push) => {
			client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => push(params.uri));
		});
		await client.subscribeResource({ uri });

		const other = await connect(url);
		const heard: string[] = [];
		const heardLast = take(1, (push) => {
			other.client.fallbackNotificationHandler = async ({ method }) => {
				heard.push(method);
				if (method === 'notifications/tools/list_changed') push(method);
			};
		});
		expect(await other.call('notify_updated', { uri, count: 3 })).toMatchObject({ uri, count: 3 });
		expect(await within(told, 'three updates', 10_000)).toEqual([uri, uri, uri]);
		await other.call('notify_list_changed', { kind: 'tools' });
		await within(heardLast, 'the change of the tools', 10_000);
		expect(heard).toEqual(['notifications/tools/list_changed']);
	});

	test('notify_list_changed reaches every session', async () => {
		const { client, call } = await connect(url);
		const kinds = {
			tools: ToolListChangedNotificationSchema,
			prompts: PromptListChangedNotificationSchema,
			resources: ResourceListChangedNotificationSchema,
		};
		for (const [kind, schema] of Object.entries(kinds)) {
			const told = take(1, (push) => client.setNotificationHandler(schema, push));
			expect(await call('notify_list_changed', { kind })).toMatchObject({ kind });
			await within(told, `the change of ${kind}`, 10_000);
		}
	});

	test('ask answers with what the user did', async () => {
		const answers = [{ action: 'accept' as const, content: { answer: 'blue' } }, { action: 'decline' as const }];
		const { call } = await connect(url, { elicitation: {} }, (client) => {
			client.setRequestHandler(ElicitRequestSchema, ({ params }) => {
				expect(params).toMatchObject({
					message: 'Which colour?',
					requestedSchema: { properties: { answer: { type: 'string' } } },
				});
				return answers.shift() ?? { action: 'cancel' };
			});
		});
		const { nodeId } = await call('session_info');
		const message = 'Which colour?';
		expect(await call('ask', { message })).toEqual({ action: 'accept', content: { answer: 'blue' }, nodeId });
		expect(await call('ask', { message })).toEqual({ action: 'decline', content: null, nodeId });
		expect(await call('ask', { message })).toEqual({ action: 'cancel', content: null, nodeId });
	});

	test('ask_url sends the page to open', async () => {
		const { call } = await connect(url, { elicitation: { url: {} } }, (client) => {
			client.setRequestHandler(ElicitRequestSchema, ({ params }) => {
				expect(params).toMatchObject({ mode: 'url', message: 'Sign in', url: 'https://example.com/login' });
				return { action: 'accept' };
			});
		});
		expect(await call('ask_url', { message: 'Sign in', url: 'https://example.com/login' })).toMatchObject({
			action: 'accept',
			elicitationId: expect.stringMatching(/^[0-9a-f-]{36}$/),
		});
	});

	test("sample answers with the model's words, list_roots with the roots", async () => {
		const { call } = await connect(url, { sampling: {}, roots: {} }, (client) => {
			client.setRequestHandler(CreateMessageRequestSchema, ({ params }) => ({
				role: 'assistant',
				model: 'parrot',
				content: params.messages[0]?.content ?? [],
			}));
			client.setRequestHandler(ListRootsRequestSchema, () => ({ roots: [{ uri: 'file:///home', name: 'home' }] }));
		});
		expect(await call('sample', { prompt: 'hello' })).toMatchObject({
			role: 'assistant',
			model: 'parrot',
			content: { type: 'text', text: 'hello' },
		});
		expect(await call('list_roots')).toMatchObject({ roots: [{ uri: 'file:///home', name: 'home' }] });
	});

	test('counter_add, state_set and state_get remember, for this session alone', async () => {
		const [{ call }, other] = [await connect(url), await connect(url)];
		expect(await call('counter_add', { key: 'visits', by: 2 })).toEqual({ value: 2 });
		expect(await call('counter_add', { key: 'visits' })).toEqual({ value: 3 });
		expect(await call('state_set', { key: 'cart', value: ['tea'] })).toEqual({ key: 'cart' });
		expect(await call('state_get', { key: 'cart' })).toEqual({ value: ['tea'] });
		expect(await other.call('state_get', { key: 'cart' })).toEqual({ value: null });
	});

	test('end_session is answered, and the session is gone', async () => {
		const { client, call } = await connect(url);
		expect(await call('end_session', { reason: 'test over' })).toEqual({ ended: true, reason: 'test over' });
		await expect(client.ping()).rejects.toThrow(/404|not found/i);
	});

	test('arguments that are not what a tool takes make an error, not an exception', async () => {
		const { client } = await connect(url);
		for (const args of [{ ms: -1 }, { ms: 'long' }, {}]) {
			const { isError } = await client.callTool({ name: 'sleep', arguments: args });
			expect(isError).toBe(true);
		}
	});
});

async function all(response: Response): Promise<Message[]> {
	const messages: Message[] = [];
	for await (const message of messagesOf(response)) messages.push(message);
	return messages;
}

function logged(level: string, n: number): Message {
	return { jsonrpc: '2.0', method: 'notifications/message', params: { level, data: { n } } } as Message;
}
