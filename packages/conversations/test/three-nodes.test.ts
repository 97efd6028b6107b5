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
async function open(sdk: keyof typeof sdks, modes: readonly ('auto' | undefined)[] = []) {
	const folder = await temporaryFolder();
	const { urls } = await openMcpNodes(() => new FileConversationStore(folder), {
		sdk,
		nodes: 3,
		manage: () => redisSessionManager(redis.url, { keyPrefix: `${folder}:` }),
	});
	return Promise.all(urls.map((url, index) => connect(url, 'alice', modes[index])));
}

function heardBy(client: Client): Mailbox<string> {
	const heard = new Mailbox<string>();
	client.setNotificationHandler('notifications/resources/updated', ({ params }) => heard.push(params.uri));
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
