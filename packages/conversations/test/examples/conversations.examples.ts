import { writeFile } from 'node:fs/promises';
import {
	type Conversation,
	ConversationError,
	Conversations,
	FileConversationStore,
	markdownOf,
	type PersonConversations,
} from '@holdfast/conversations';

export function start(report: (error: Error) => void) {
	//#region start
	const conversations = new Conversations(new FileConversationStore('./conversations'));
	conversations.onerror = report;
	const alice = conversations.of('alice');
	//#endregion start
	return alice;
}

export async function person(conversations: Conversations) {
	//#region person
	const alice = conversations.of('alice');
	const [newest] = await alice.list({ states: ['active', 'suspended'] });
	const hits = await alice.search('"eviction policy" cach*');
	//#endregion person
	return { newest, hits };
}

export async function conversation(alice: PersonConversations) {
	//#region conversation
	const conversation = await alice.create({ id: 'debug-memory-leak', title: 'Memory leak', project: 'API' });
	await conversation.addMessage({ role: 'user', content: 'The API instances grow by 100 MB an hour.' });
	await conversation.setContext('deployment', { version: 'v2.4.0' });
	await conversation.addDiscovery({ title: 'The cache has no eviction policy', relevance: 0.9 });
	await conversation.suspend();
	//#endregion conversation
}

export async function error(alice: PersonConversations) {
	//#region error
	try {
		return await alice.open('debug-memory-leak');
	} catch (error) {
		if (error instanceof ConversationError && error.code === 'not-found') return alice.create({ title: 'Leak' });
		throw error;
	}
	//#endregion error
}

export async function markdown(conversation: Conversation) {
	//#region markdown
	await writeFile('memory-leak.md', markdownOf(await conversation.export()));
	//#endregion markdown
}

export async function persons(conversations: Conversations) {
	//#region persons
	const document = JSON.stringify(await conversations.persons.export('alice'));
	const erased = await conversations.persons.erase('alice');
	//#endregion persons
	return { document, erased };
}
