import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FileConversationStore, InMemoryConversationStore } from '@holdfast/conversations';
import { ManualClock } from '@holdfast/session-manager/testing';
import type { Client } from '@modelcontextprotocol/client';
import { describe, expect, it } from 'vitest';
import { connect, type McpNodesOptions, openMcpNodes, sdks } from './support/mcp-nodes.ts';
import { temporaryFolder } from './support/stores.ts';

const WEEK_MS = 7 * 24 * 60 * 60 * 1000;
const shareKeys = [{ id: 'k', secret: 'a secret of at least thirty-two bytes' }];

/** The nodes of most tests: files that both of them use. */
async function open(options: McpNodesOptions) {
	const folder = await temporaryFolder();
	return openMcpNodes(() => new FileConversationStore(folder), { shareKeys, ...options });
}

/** Calls a tool, and returns its data; its text, where it is an error. */
async function call(client: Client, name: string, args: Record<string, unknown> = {}) {
	const { isError, content, structuredContent } = await client.callTool({ name, arguments: args });
	const [first] = content as { text: string }[];
	return isError ? `error: ${first?.text}` : (structuredContent as Record<string, unknown>);
}

async function read(client: Client, uri: string): Promise<string> {
	const { contents } = await client.readResource({ uri });
	return String((contents[0] as { text?: string } | undefined)?.text);
}

function heardBy(client: Client): string[] {
	const heard: string[] = [];
	client.setNotificationHandler('notifications/resources/updated', ({ params }) => void heard.push(params.uri));
	return heard;
}

describe.each(Object.keys(sdks) as (keyof typeof sdks)[])('a server of SDK %s', (sdk) => {
	it('is used from the start to a week later by what its tools say alone', async () => {
		const clock = new ManualClock(Date.UTC(2025, 8, 2, 10));
		const { urls } = await open({ sdk, clock });
		const [a, b] = urls as [URL, URL];
		const client = await connect(a, 'alice');
		const { tools } = await client.listTools();
		const described = (name: string) => tools.find((tool) => tool.name === name)?.description ?? '';

		// The model reads that it should look first, what to record, and how to pause.
		expect(described('create_conversation')).toContain('call list_conversations');
		expect(await call(client, 'list_conversations')).toEqual({ conversations: [] });
		const made = await call(client, 'create_conversation', { conversation_id: 'leak', title: 'Memory leak' });
		expect(made).toEqual({ id: 'leak', title: 'Memory leak', state: 'active', uri: 'conversation://leak' });
		const on = { conversation_id: 'leak' };
		expect(await call(client, 'add_message', { ...on, role: 'user', content: 'It grows.' })).toEqual({ number: 1 });
		await call(client, 'set_context', { ...on, key: 'cache', value: { entries: 45_000 } });
		const question = { ...on, kind: 'question', title: 'Who fills the cache?' };
		expect(await call(client, 'add_discovery', question)).toEqual({ number: 1 });
		expect(described('suspend_conversation')).toContain('when the user stops for the day');
		await call(client, 'suspend_conversation', on);
		const late = await call(client, 'add_message', { ...on, role: 'user', content: 'Wait' });
		expect(late).toMatch(/^error: "leak" is suspended.* Call resume_conversation first\.$/);
		await client.close();

		clock.advance(WEEK_MS);
		const later = await connect(b, 'alice');
		expect(await call(later, 'create_conversation', { conversation_id: 'leak', title: 'Again' })).toMatch(
			/^error: .*exists already.* Call resume_conversation with this id to continue it\.$/,
		);
		expect(await call(later, 'resume_conversation', { conversation_id: 'lost' })).toMatch(
			/^error: There is no conversation "lost".* Call list_conversations to see which there are\.$/,
		);
		const { conversations } = (await call(later, 'list_conversations')) as { conversations: { id: string }[] };
		const { content, structuredContent } = await later.callTool({
			name: 'resume_conversation',
			arguments: { conversation_id: conversations[0]?.id },
		});
		expect(structuredContent).toMatchObject({
			title: 'Memory leak',
			state: 'active',
			open: [{ number: 1, title: 'Who fills the cache?', at: '2025-09-02T10:00:00.000Z' }],
			context: [{ key: 'cache' }],
			messages: [{ number: 1, role: 'user', text: 'It grows.' }],
		});
		expect((content as { text: string }[])[0]?.text).toContain('## Still open\n\n- #1 (question');
		await call(later, 'add_discovery', { ...on, title: 'The analytics', resolves: [1] });
		expect(await call(later, 'search_conversation', { query: 'analyt*' })).toMatchObject({
			hits: [{ conversation: 'leak', kind: 'discovery', number: 2, snippet: 'The analytics' }],
		});
		expect(await call(later, 'get_history', on)).toMatchObject({ messages: [{ number: 1, by: expect.any(String) }] });
		expect(await call(later, 'end_conversation', { ...on, reason: 'solved' })).toMatchObject({ state: 'terminated' });
		expect(await call(later, 'add_message', { ...on, role: 'user', content: 'More' })).toContain('create_conversation');
		const text = await later.callTool({ name: 'export_conversation', arguments: on });
		expect((text.content as { text: string }[])[0]?.text).toContain('### 2. The analytics');
	});

	it('describes every tool with input and output, and what it does to data', async () => {
		const { urls } = await open({ sdk });
		const { tools } = await (await connect(urls[0] as URL, 'alice')).listTools();
		expect(tools).toHaveLength(14);
		for (const tool of tools) {
			expect(tool.inputSchema.type).toBe('object');
			expect(tool.outputSchema?.type).toBe('object');
			expect(tool.title).toBeTruthy();
			expect(tool.description?.length).toBeGreaterThan(60);
			expect(tool.description).not.toMatch(/[{}]/);
			expect(tool.annotations?.readOnlyHint).toBe(/^(get|list|search|export)_/.test(tool.name));
			expect(tool.annotations?.destructiveHint ?? false).toBe(/^(end_|forget_)/.test(tool.name));
		}
	});

	it('tells a subscriber on one node what is written on another', async () => {
		const { urls } = await open({ sdk });
		const [a, b] = urls as [URL, URL];
		const [reader, writer] = [await connect(a, 'alice'), await connect(b, 'alice')];
		await call(writer, 'create_conversation', { conversation_id: 'c', title: 'Watched' });
		const updated: string[] = [];
		reader.setNotificationHandler('notifications/resources/updated', ({ params }) => void updated.push(params.uri));
		for (const uri of ['conversation://c', 'conversation://c/context/k']) await reader.subscribeResource({ uri });
		await call(writer, 'set_context', { conversation_id: 'c', key: 'k', value: 1 });
		await expect
			.poll(() => [...updated].sort(), { timeout: 10_000 })
			.toEqual(['conversation://c', 'conversation://c/context/k']);
		expect(await read(reader, 'conversation://c')).toContain('k: 1');
		expect(JSON.parse(await read(reader, 'conversation://c/context/k'))).toBe(1);
	});

	it('lets members subscribe, and nobody learn of a conversation by that who is none', async () => {
		const { urls } = await open({ sdk });
		const [alice, bob] = [await connect(urls[0] as URL, 'alice'), await connect(urls[1] as URL, 'bob')];
		await call(alice, 'create_conversation', { conversation_id: 'merger', title: 'Secret' });
		await call(alice, 'set_context', { conversation_id: 'merger', key: 'price', value: 1 });
		const parts = ['', '/history', '/discoveries', '/context/price', '/context/none'];
		for (const part of parts) {
			await expect(alice.subscribeResource({ uri: `conversation://merger${part}` })).resolves.toEqual({});
			const refusals = ['merger', 'none'].map((id) =>
				bob.subscribeResource({ uri: `conversation://${id}${part}` }).catch(({ code, message }) => [code, message]),
			);
			const [there, missing] = (await Promise.all(refusals)).map(String);
			expect(there).toMatch(/^-\d+,There is no conversation "merger"/);
			expect(missing).toBe(there?.replace('merger', 'none'));
		}
		await expect(bob.subscribeResource({ uri: 'file:///of-the-server' })).resolves.toEqual({});
		const link = await call(alice, 'share_conversation', { conversation_id: 'merger' });
		const { share_token: token } = link as { share_token: string };
		await call(bob, 'resume_conversation', { share_token: token });
		await expect(bob.subscribeResource({ uri: 'conversation://merger' })).resolves.toEqual({});
	});

	it('tells only members of a changed conversation: nobody who was one before, on any node', async () => {
		const { urls, conversations } = await open({ sdk });
		const [alice, bob] = [await connect(urls[1] as URL, 'alice'), await connect(urls[1] as URL, 'bob')];
		await call(alice, 'create_conversation', { conversation_id: 'c', title: 'Shared' });
		await call(bob, 'create_conversation', { conversation_id: 'own', title: 'Of Bob' });
		const [person, others] = conversations.map((each) => each.of('https://issuer.example alice'));
		const conversation = await person?.open('c');
		await conversation?.setMember('https://issuer.example bob', 'reader');
		const [heardByAlice, heardByBob] = [heardBy(alice), heardBy(bob)];
		await alice.subscribeResource({ uri: 'conversation://c' });
		for (const id of ['c', 'own']) await bob.subscribeResource({ uri: `conversation://${id}` });
		await conversation?.setContext('k', 1);
		await expect.poll(() => [heardByAlice.length, heardByBob.length]).toEqual([1, 1]);
		await conversation?.setMember('https://issuer.example bob', undefined);
		await (await others?.open('c'))?.setContext('k', 2);
		await expect.poll(() => heardByAlice.length).toBe(3);
		await call(bob, 'set_context', { conversation_id: 'own', key: 'k', value: 1 });
		await expect.poll(() => heardByBob.at(-1)).toBe('conversation://own');
		expect(heardByBob).toEqual(['conversation://c', 'conversation://own']);
	});

	it('shows conversations as resources, and completes ids and keys', async () => {
		const { urls } = await open({ sdk });
		const [client, stranger] = [await connect(urls[0] as URL, 'alice'), await connect(urls[0] as URL, 'bob')];
		for (const id of ['one', 'only', 'two words']) {
			await call(client, 'create_conversation', { conversation_id: id, title: `About ${id}` });
		}
		await call(client, 'set_context', { conversation_id: 'only', key: 'a/b', value: 'deep' });
		for (let n = 1; n <= 3; n++) {
			await call(client, 'add_message', { conversation_id: 'only', role: 'user', content: `m${n}` });
		}
		const { resources } = await client.listResources();
		expect(resources.map(({ uri }) => uri).sort()).toEqual([
			'conversation://one',
			'conversation://only',
			'conversation://two%20words',
		]);
		expect(await read(client, 'conversation://two%20words')).toContain('# About two words');
		const history = JSON.parse(await read(client, 'conversation://only/history?before=3'));
		expect(history.map(({ content }: { content: string }) => content)).toEqual(['m1', 'm2']);
		expect(JSON.parse(await read(client, 'conversation://only/context/a%2Fb'))).toBe('deep');
		expect(JSON.parse(await read(client, 'conversation://only/discoveries'))).toEqual([]);
		for (const uri of ['conversation://one', 'conversation://none']) {
			await expect(stranger.readResource({ uri })).rejects.toThrow(/There is no conversation/);
		}
		expect((await stranger.listResources()).resources).toEqual([]);

		const complete = async (who: Client, ref: object, argument: object, context?: object) =>
			(await who.complete({ ref, argument, ...(context && { context }) } as never)).completion.values;
		const template = (uri: string) => ({ type: 'ref/resource', uri });
		expect(await complete(client, template('conversation://{id}'), { name: 'id', value: 'on' })).toEqual(
			expect.arrayContaining(['one', 'only']),
		);
		const key = { name: 'key', value: 'a' };
		const keys = template('conversation://{id}/context/{key}');
		expect(await complete(client, keys, key, { arguments: { id: 'only' } })).toEqual(['a/b']);
		expect(await complete(stranger, keys, key, { arguments: { id: 'only' } })).toEqual([]);
		const prompt = { type: 'ref/prompt', name: 'continue' };
		expect(await complete(client, prompt, { name: 'id', value: 'tw' })).toEqual(['two words']);
	});

	it('has prompts to continue, to hand over and to sum the week up', async () => {
		const { urls } = await open({ sdk });
		const client = await connect(urls[0] as URL, 'alice');
		await call(client, 'create_conversation', { conversation_id: 'c', title: 'Leak' });
		await call(client, 'add_discovery', { conversation_id: 'c', title: 'It is the cache' });
		const textOf = async (name: string, args?: Record<string, string>) => {
			const { messages } = await client.getPrompt({ name, ...(args && { arguments: args }) });
			return (messages[0]?.content as { text: string } | undefined)?.text;
		};
		expect(await textOf('continue', { id: 'c' })).toMatch(
			/It is the cache[\s\S]*resume_conversation with conversation_id "c"/,
		);
		expect(await textOf('hand-over', { id: 'c' })).toMatch(/It is the cache[\s\S]*share_conversation/);
		for (const id of ['none', '']) await expect(textOf('continue', { id })).rejects.toMatchObject({ code: -32602 });
		expect(await textOf('weekly-summary')).toMatch(/## Leak, active, id c\n- #1 finding: It is the cache/);
	});

	it('sums the week up without a conversation that is damaged, and says so', async () => {
		const folder = await temporaryFolder();
		const { urls } = await openMcpNodes(() => new FileConversationStore(folder), { sdk });
		const client = await connect(urls[0] as URL, 'alice');
		for (const id of ['whole', 'bad']) await call(client, 'create_conversation', { conversation_id: id, title: id });
		await writeFile(join(folder, 'bad', 'discoveries.jsonl'), 'nonsense\n');
		const { messages } = await client.getPrompt({ name: 'weekly-summary' });
		const text = (messages[0]?.content as { text: string } | undefined)?.text;
		expect(text).toContain('## whole, active, id whole');
		expect(text).toContain('## bad, active, id bad\n- it is damaged and cannot be read');
	});

	it('shares by a link, and forgets whoever asks', async () => {
		const { urls } = await open({ sdk });
		const [alice, bob] = [await connect(urls[0] as URL, 'alice'), await connect(urls[1] as URL, 'bob')];
		await call(alice, 'create_conversation', { conversation_id: 'c', title: 'Shared' });
		const link = await call(alice, 'share_conversation', { conversation_id: 'c', role: 'writer', expires_in_days: 1 });
		const { share_token: token, link_id: id } = link as { share_token: string; link_id: string };
		expect(await call(bob, 'resume_conversation', { share_token: token })).toMatchObject({ id: 'c', role: 'writer' });
		expect(await call(bob, 'add_message', { conversation_id: 'c', role: 'user', content: 'hi' })).toEqual({
			number: 1,
		});
		await call(alice, 'share_conversation', { conversation_id: 'c', revoke: id });
		expect(await call(bob, 'get_history', { conversation_id: 'c' })).toContain('There is no conversation');
		expect(await call(bob, 'resume_conversation', { share_token: token })).toMatch(/^error: This share link does not/);
		expect(await call(alice, 'forget_me', { confirm: true })).toMatchObject({ conversations: 1, sessions: 1 });
		const again = await connect(urls[1] as URL, 'alice');
		expect(await call(again, 'list_conversations')).toEqual({ conversations: [] });
	});

	it('tells a stranger the same of what there is and of what there is not, by every tool', async () => {
		const { urls } = await open({ sdk });
		const [alice, bob] = [await connect(urls[0] as URL, 'alice'), await connect(urls[1] as URL, 'bob')];
		await call(alice, 'create_conversation', { conversation_id: 'there', title: 'Secret' });
		await call(alice, 'set_context', { conversation_id: 'there', key: 'k', value: 1 });
		const given = { content: 'x', key: 'k', value: 1, title: 'x', query: 'x' };
		const roles: Record<string, object> = { add_message: { role: 'user' }, share_conversation: { role: 'reader' } };
		const { tools } = await bob.listTools();
		const about = tools.filter(
			({ name, inputSchema }) => 'conversation_id' in (inputSchema.properties ?? {}) && name !== 'create_conversation',
		);
		expect(about).toHaveLength(11);
		for (const { name, inputSchema } of about) {
			const wanted = Object.entries(given).filter(([key]) => key in (inputSchema.properties ?? {}));
			const answers = ['there', 'gone!'].map((conversation_id) =>
				call(bob, name, { ...Object.fromEntries(wanted), ...roles[name], conversation_id }),
			);
			const [there, gone] = await Promise.all(answers);
			expect(there, name).toMatch(/^error: There is no conversation "there"/);
			expect(String(there).replaceAll('"there"', '"gone!"'), name).toBe(gone);
		}
		expect(await call(alice, 'get_history', { conversation_id: 'there' })).toEqual({ messages: [] });
	});

	it('sends no more values than a client can take at once, and names the others', async () => {
		const { urls } = await open({ sdk, nodes: 1 });
		const client = await connect(urls[0] as URL, 'alice');
		await call(client, 'create_conversation', { conversation_id: 'c', title: 'Wide' });
		const value = 'x'.repeat(300_000);
		const keys = ['k1', 'k2', 'k3', 'k4', 'k5'];
		for (const key of keys) await call(client, 'set_context', { conversation_id: 'c', key, value });
		const read = (await call(client, 'get_context', { conversation_id: 'c' })) as {
			readonly values: readonly { readonly key: string }[];
			readonly left_out: { readonly count: number; readonly keys: readonly string[] };
		};
		expect(read.values.length).toBe(3);
		expect(read.left_out.count).toBe(2);
		expect([...read.values.map(({ key }) => key), ...read.left_out.keys].sort()).toEqual(keys);
		const [key = ''] = read.left_out.keys;
		const alone = await call(client, 'get_context', { conversation_id: 'c', key });
		expect(alone).toMatchObject({ values: [{ key, value }] });
		expect(alone).not.toHaveProperty('left_out');
	});

	it('sends no half of a character, whatever is stored', async () => {
		const store = new InMemoryConversationStore();
		const { urls } = await openMcpNodes(() => store, { sdk, nodes: 1 });
		const client = await connect(urls[0] as URL, 'alice');
		await call(client, 'create_conversation', { conversation_id: 'c', title: 'Halves' });
		// As older versions stored it.
		await store.append('c', [{ role: 'user', content: 'half \ud83d', at: 1, metadata: { half: ['\ude00'] } }]);
		await store.setContext('c', 'k', '*', { value: { '\ud83d': '\ude00' }, at: 1 });
		const frames = [
			await client.callTool({ name: 'get_history', arguments: { conversation_id: 'c' } }),
			await client.callTool({ name: 'get_context', arguments: { conversation_id: 'c' } }),
			await client.callTool({ name: 'search_conversation', arguments: { query: 'half' } }),
			await client.callTool({ name: 'resume_conversation', arguments: { conversation_id: 'c' } }),
			await client.callTool({ name: 'export_conversation', arguments: { conversation_id: 'c' } }),
			await client.readResource({ uri: 'conversation://c' }),
			await client.getPrompt({ name: 'continue', arguments: { id: 'c' } }),
		];
		for (const frame of frames) {
			expect(frame).not.toMatchObject({ isError: true });
			expect(JSON.stringify(frame)).not.toMatch(/(?<!\\)\\ud/);
		}
		expect(JSON.stringify(frames[0])).toContain('half \ufffd');
	});

	it('says session instead of conversation for those who are used to it', async () => {
		const { urls } = await open({ sdk, register: { vocabulary: 'session' } });
		const client = await connect(urls[0] as URL, undefined);
		const on = { session_id: 'debug-memory-leak-2025-09' };
		const value = { version: 'v2.4.0', changes: ['Added real-time analytics feature', 'Upgraded caching layer'] };
		const title = 'In-memory cache has no eviction policy';
		const description = 'The CacheManager stores everything but never removes old entries.';
		// The calls of a server with sessions in files, in the order of three days, and what it returned.
		const calls: [tool: string, args: Record<string, unknown>, result: Record<string, unknown>][] = [
			[
				'create_session',
				{ ...on, project: 'E-Commerce API', description: 'Memory leak in production', metadata: { runtime: 'Python' } },
				{ ...on, status: 'created', project: 'E-Commerce API', title: 'Memory leak in production' },
			],
			['create_session', { session_id: 'by-id' }, { session_id: 'by-id', status: 'created', title: 'by-id' }],
			['create_session', {}, { session_id: expect.stringMatching(/^session-/), status: 'created', project: '' }],
			[
				'create_session',
				{ session_id: 'long', project: '', description: `${'🦈'.repeat(200)}\nmore` },
				{ title: `${'🦈'.repeat(99)}…` },
			],
			['create_session', { session_id: 'titled', title: 'Titled', project: 'P' }, { title: 'Titled', project: 'P' }],
			['add_context', { ...on, key: 'deployment_diff', value }, { key: 'deployment_diff', status: 'context_added' }],
			['add_context', { ...on, key: 'text', value: 'a text' }, { key: 'text', status: 'context_added' }],
			['add_message', { ...on, role: 'user', content: 'It grows by 100 MB an hour.' }, { number: 1 }],
			['add_message', { ...on, role: 'assistant', content: 'Let us look.', metadata: {} }, { number: 2 }],
			['add_discovery', { ...on, title, description }, { number: 1 }],
			['add_discovery', { ...on, title: 'Unbounded cache', description, relevance: 0.7 }, { number: 2 }],
			['suspend_session', on, { ...on, status: 'suspended' }],
			[
				'resume_session',
				on,
				{
					...on,
					...{ status: 'resumed', context_items: 2, project: 'E-Commerce API' },
					discoveries: expect.arrayContaining([expect.objectContaining({ title, description })]),
					messages: [{ role: 'user' }, { role: 'assistant' }],
				},
			],
			['get_context', { ...on, key: 'deployment_diff' }, { values: [{ value }] }],
			['search_session', { ...on, query: 'analytics' }, { hits: [{ kind: 'context', key: 'deployment_diff' }] }],
			['end_session', on, { state: 'terminated' }],
		];
		for (const [tool, args, result] of calls)
			expect({ tool, args, result: await call(client, tool, args) }).toMatchObject({ tool, args, result });
		expect(await call(client, 'create_session', on)).toMatch(/exists already.*resume_session/);
		expect(await call(client, 'resume_session', { session_id: 'lost' })).toMatch(/^error: There is no/);
		// In its own words, a title is what a model must give.
		const own = await connect((await open({ sdk })).urls[0] as URL, undefined);
		const { tools } = await own.listTools();
		expect(tools.find(({ name }) => name === 'create_conversation')?.inputSchema.required).toContain('title');
	});
});

it('a person is the same with and without a session', async () => {
	const { urls } = await open({ sdk: 'v2' });
	const withSession = await connect(urls[0] as URL, 'alice');
	await call(withSession, 'create_conversation', { conversation_id: 'c', title: 'Both eras' });
	const modern = await connect(urls[1] as URL, 'alice', 'auto');
	expect(modern.getNegotiatedProtocolVersion()).toBe('2026-07-28');
	expect(await call(modern, 'list_conversations')).toMatchObject({ conversations: [{ id: 'c' }] });
	expect(await call(modern, 'add_message', { conversation_id: 'c', role: 'user', content: 'hi' })).toEqual({
		number: 1,
	});
	expect(await read(modern, 'conversation://c')).toContain('[1] user: hi');
	const stranger = await connect(urls[1] as URL, 'bob', 'auto');
	expect(await call(stranger, 'list_conversations')).toEqual({ conversations: [] });
});

it.each([undefined, 'auto'] as const)(
	'whoever has a credential but no name gets no conversations (%s)',
	async (mode) => {
		const { urls } = await open({ sdk: 'v2' });
		const client = await connect(urls[0] as URL, 'nameless', mode);
		expect(await call(client, 'list_conversations')).toMatch(
			/^error: This server knows your credential, but not who you/,
		);
		expect(await call(client, 'create_conversation', { title: 'Mine' })).toMatch(/^error: This server knows/);
	},
);

describe('a client of 2026-07-28', () => {
	const both = ['conversation://c', 'conversation://c/context/k'];

	it('listens only to conversations that it may read, and cannot tell them from those that are not there', async () => {
		const { urls } = await open({ sdk: 'v2' });
		const alice = await connect(urls[0] as URL, 'alice', 'auto');
		await call(alice, 'create_conversation', { conversation_id: 'c', title: 'Secret' });
		const eve = await connect(urls[1] as URL, 'eve', 'auto');
		const asked = [...both, 'conversation://none', 'file:///open'];
		const honoured = async (client: Client) => {
			const subscription = await client.listen({ resourceSubscriptions: asked });
			return subscription.honoredFilter.resourceSubscriptions;
		};
		expect(await honoured(alice)).toEqual([...both, 'file:///open']);
		expect(await honoured(eve)).toEqual(['file:///open']);
	});

	it('hears no more once it is no member, whichever node takes it out; and that all was erased', async () => {
		const { urls, conversations } = await open({ sdk: 'v2' });
		const [alice, bob] = [await connect(urls[1] as URL, 'alice', 'auto'), await connect(urls[1] as URL, 'bob', 'auto')];
		await call(alice, 'create_conversation', { conversation_id: 'c', title: 'Shared' });
		const [node] = conversations;
		const conversation = await node?.of('https://issuer.example alice').open('c');
		await conversation?.setMember('https://issuer.example bob', 'reader');
		const [heardByAlice, heardByBob] = [heardBy(alice), heardBy(bob)];
		for (const client of [alice, bob]) await client.listen({ resourceSubscriptions: both });
		await conversation?.setContext('k', 1);
		await expect.poll(() => [heardByAlice.length, heardByBob.length]).toEqual([2, 2]);
		await conversation?.setMember('https://issuer.example bob', undefined);
		await conversation?.setContext('k', 2);
		await expect.poll(() => heardByAlice.length).toBe(5);
		expect(heardByBob).toHaveLength(2);
		await node?.persons.erase('https://issuer.example alice');
		await expect.poll(() => heardByAlice.length).toBeGreaterThan(5);
	});

	it('is who the option principal names, where that is given to both', async () => {
		const register = { principal: 'me' };
		const { urls } = await open({ sdk: 'v2', register });
		const client = await connect(urls[0] as URL, undefined, 'auto');
		await call(client, 'create_conversation', { conversation_id: 'c', title: 'Mine' });
		const heard = heardBy(client);
		const subscription = await client.listen({ resourceSubscriptions: both });
		expect(subscription.honoredFilter.resourceSubscriptions).toEqual(both);
		await call(client, 'set_context', { conversation_id: 'c', key: 'k', value: 1 });
		await expect.poll(() => [...heard].sort()).toEqual(both);
	});
});
