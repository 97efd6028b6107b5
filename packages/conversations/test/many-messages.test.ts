import { FileConversationStore, InMemoryConversationStore } from '@holdfast/conversations';
import { expect, it, onTestFinished } from 'vitest';
import { sampleHead } from './support/samples.ts';
import { temporaryFolder } from './support/stores.ts';

/** More than a function takes as arguments. */
const COUNT = 140_000;

it.each([
	['memory', () => new InMemoryConversationStore()],
	['files', async () => new FileConversationStore(await temporaryFolder())],
])('a conversation of very many messages is read and searched in %s', async (_name, make) => {
	const store = await make();
	onTestFinished(() => store.close());
	await store.create(sampleHead('c'));
	const say = { role: 'user' as const, content: 'much', at: 1, by: 'alice' };
	await store.append('c', Array<typeof say>(COUNT).fill(say));
	expect(await store.append('c', [say])).toBe(COUNT + 1);
	expect(await store.messages('c', { limit: COUNT + 10 })).toHaveLength(COUNT + 1);
	const terms = [{ words: ['much'], prefix: false }];
	const found = await store.search({ terms, conversation: 'c', limit: 3 });
	expect(found).toHaveLength(3);
});
