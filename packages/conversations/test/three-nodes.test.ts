import { FileConversationStore } from '@holdfast/conversations';
import { redisSessionManager } from '@holdfast/session-manager-redis';
import type { Client } from '@modelcontextprotocol/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Mailbox } from '../../../test/support/mailbox.ts';
import { RedisServer } from '../../../test/support/redis/redis-server.ts';
import { connect, openMcpNodes, sdks } from './support/mcp-nodes.ts';
import { temporaryFolder } from './support/stores.ts';

let redis: RedisServer;
beforeAll(async () => {
	redis = await RedisServer.create();
});
afterAll(() => redis?.dispose());

/** Three nodes over Redis, and a client of each that speaks of sessions or, with `auto`, has none. */
async function open(
	sdk: keyof typeof sdks,
	modes: readonly ('auto' | undefined)[] = [],
	persons: readonly string[] = [],
) {
	const folder = await temporaryFolder();
	const { urls } = await openMcpNodes(() => new FileConversationStore(folder), {
		sdk,
		nodes: 3,
		shareKeys: [{ id: 'k', secret: 'a secret of at least thirty-two bytes' }],
		manage: () => redisSessionManager(redis.url, { keyPrefix: `${folder}:` }),
	});
	return Promise.all(urls.map((url, index) => connect(url, persons[index] ?? 'alice', modes[index])));
}

function heardBy(client: Client): Mailbox<string> {
	const heard = new Mailbox<string>();
	client.setNotificationHandler('notifications/resources/updated', ({ params }) => heard.push(params.uri));
	return heard;
}

/** Counts how often a client is told that its list of resources changed. */
function listsHeardBy(client: Client | undefined): Mailbox<string> {
	const heard = new Mailbox<string>();
	client?.setNotificationHandler('notifications/resources/list_changed', () => heard.push('list'));
	return heard;
}

const call = (client: Client | undefined, name: string, args: Record<string, unknown>) =>
	client?.callTool({ name, arguments: { conversation_id: 'c', ...args } });
const [whole, key] = ['conversation://c', 'conversation://c/context/k'];

describe.each(Object.keys(sdks) as (keyof typeof sdks)[])('three nodes over Redis, with SDK %s', (sdk) => {
	it('a session on one hears what is written on the others, and reads it', async () => {
		const [a, b, c] = await open(sdk);
		await call(b, 'create_conversation', { title: 'Watched' });
		const heard = heardBy(a as Client);
		for (const uri of [whole, key]) await a?.subscribeResource({ uri });
		await call(b, 'set_context', { key: 'k', value: 'by B' });
		await heard.count(2, 'what B wrote');
		expect([...heard.items].sort()).toEqual([whole, key]);
		await call(c, 'add_message', { role: 'user', content: 'by C' });
		await heard.count(3, 'what C wrote');
		const { contents } = (await a?.readResource({ uri: whole })) ?? { contents: [] };
		expect((contents[0] as { text?: string } | undefined)?.text).toMatch(/k: by B[\s\S]*user: by C/);
	});

	it('a session hears that its list changed, of whoever else is concerned, and of nobody else', async () => {
		const [writer, reader, bob] = await open(sdk, [], ['alice', 'alice', 'bob']);
		const [mine, his] = [listsHeardBy(reader), listsHeardBy(bob)];
		await call(writer, 'create_conversation', { title: 'New' });
		await mine.count(1, 'the new one');
		expect((await reader?.listResources())?.resources).toMatchObject([{ uri: whole }]);
		// No list shows what is written in it, or that it rests.
		await call(writer, 'add_message', { role: 'user', content: 'hi' });
		await call(writer, 'suspend_conversation', {});
		const link = await call(writer, 'share_conversation', { role: 'reader' });
		const { share_token } = (link?.structuredContent ?? {}) as { readonly share_token?: string };
		await bob?.callTool({ name: 'resume_conversation', arguments: { share_token } });
		await his.count(1, 'that he is let in');
		await call(writer, 'end_conversation', { reason: 'solved' });
		await Promise.all([mine.count(2, 'the end'), his.count(2, 'the end')]);
		await bob?.callTool({ name: 'create_conversation', arguments: { title: 'His' } });
		await his.count(3, 'his own');
		await call(writer, 'create_conversation', { conversation_id: 'd', title: 'D' });
		await mine.count(3, 'another');
		await writer?.callTool({ name: 'end_conversation', arguments: { conversation_id: 'd', erase: true } });
		await mine.count(4, 'what was erased');
		expect([mine.items.length, his.items.length]).toEqual([4, 3]);
	});
});

it('a client of 2026-07-28 that listens to its list hears of its own, and of nobody else', async () => {
	const [writer, reader, bob] = await open('v2', [undefined, 'auto', 'auto'], ['alice', 'alice', 'bob']);
	const [mine, his] = [listsHeardBy(reader), listsHeardBy(bob)];
	for (const client of [reader, bob]) await client?.listen({ resourcesListChanged: true });
	await call(writer, 'create_conversation', { title: 'New' });
	await mine.count(1, 'the new one');
	await bob?.callTool({ name: 'create_conversation', arguments: { title: 'His' } });
	await his.count(1, 'his own');
	await call(writer, 'end_conversation', { erase: true });
	await mine.count(2, 'what was erased');
	expect([mine.items.length, his.items.length]).toEqual([2, 1]);
});

it('a client of 2026-07-28 that listens on one node hears what is written on the others, in either era', async () => {
	const [a, b, c] = await open('v2', ['auto', undefined, 'auto']);
	expect(a?.getNegotiatedProtocolVersion()).toBe('2026-07-28');
	await call(b, 'create_conversation', { title: 'Watched' });
	const heard = heardBy(a as Client);
	const subscription = await a?.listen({ resourceSubscriptions: [whole, key] });
	await call(b, 'set_context', { key: 'k', value: 1 });
	await heard.count(2, 'what B wrote');
	await call(c, 'set_context', { key: 'k', value: 2 });
	await heard.count(4, 'what C wrote');
	expect([...heard.items].sort()).toEqual([whole, whole, key, key]);
	await subscription?.close();
});
