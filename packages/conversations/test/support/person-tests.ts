import { type Conversations, markdownOf } from '@holdfast/conversations';
import type { ConversationStore } from '@holdfast/conversations/custom';
import { expect, it } from 'vitest';
import { until } from '../../../../test/support/until.ts';
import { connect, openMcpNodes, type SessionManager } from './mcp-nodes.ts';

/** What one node keeps conversations and sessions with. */
export interface PersonStores {
	store(): ConversationStore;
	/** @default the same for all nodes, in memory */
	readonly manage?: () => SessionManager;
}

/** What must be true of a person's data over conversations and real sessions, wherever both are kept. */
export function testPersons(open: () => PersonStores): void {
	it('everything of a person is exported and erased in one call, over conversations and sessions of all nodes', async () => {
		const { store, manage } = open();
		const { urls, conversations } = await openMcpNodes(store, { sdk: 'v2', ...(manage && { manage }) });
		const [her, him] = ['https://issuer.example alice', 'https://issuer.example bob'];
		// A busy machine may take longer to connect to a database than a call waits.
		const works = (node: Conversations) =>
			node.persons.export(her).then(
				() => true,
				() => false,
			);
		for (const node of conversations) await until('the node is connected', () => works(node), 20_000);
		const [a, b] = urls as [URL, URL];
		const [alice, bob] = [await connect(a, 'alice'), await connect(a, 'bob')];
		const call = (client: typeof alice, name: string, args: Record<string, unknown>) =>
			client.callTool({ name, arguments: { conversation_id: 'hers', ...args } });
		await call(alice, 'create_conversation', { title: 'Hers' });
		await call(alice, 'add_message', { role: 'user', content: 'by alice' });
		await alice.subscribeResource({ uri: 'conversation://hers' });
		await call(bob, 'create_conversation', { conversation_id: 'his', title: 'His' });
		await bob.subscribeResource({ uri: 'conversation://his' });
		await (await conversations[1]?.of(him).open('his'))?.setMember(her, 'writer');
		await call(await connect(b, 'alice'), 'add_message', { conversation_id: 'his', role: 'user', content: 'for bob' });

		const exported = await conversations[1]?.persons.export(her);
		const document = JSON.parse(JSON.stringify(exported));
		document.conversations.sort((one: { id: string }, other: { id: string }) => (one.id < other.id ? -1 : 1));
		expect(document).toMatchObject({
			principal: her,
			conversations: [
				{ id: 'hers', messages: [{ content: 'by alice' }] },
				{ id: 'his', messages: [{ content: 'for bob' }] },
			],
			sessions: [
				{ status: 'active', clientInfo: { name: 'test' }, subscriptions: ['conversation://hers'] },
				{ status: 'active', clientInfo: { name: 'test' }, subscriptions: [] },
			],
			records: [],
		});
		const texts = exported?.conversations.map(markdownOf).join('');
		expect(texts).toMatch(/# Hers[\s\S]*by alice/);
		expect(texts).toMatch(/# His[\s\S]*for bob/);

		const erased = await conversations[0]?.persons.erase(her);
		expect(erased).toEqual({ conversations: 1, contributions: 1, sessions: 2 });
		const left = await conversations[1]?.persons.export(her);
		expect(left).toMatchObject({ conversations: [], sessions: [], records: [] });
		const isOver = () =>
			alice.listTools().then(
				() => false,
				() => true,
			);
		await until('the session is over', isOver);
		const his = await conversations[1]?.persons.export(him);
		expect(his).toMatchObject({
			conversations: [{ id: 'his', messages: [{ content: '[erased]' }] }],
			sessions: [{ subscriptions: ['conversation://his'] }],
		});
		expect(JSON.stringify(his)).not.toContain('alice');
	});
}
