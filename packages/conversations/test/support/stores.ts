import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileConversationStore, InMemoryConversationStore } from '@holdfast/conversations';
import type { ConversationStore } from '@holdfast/conversations/custom';
import type { StoreFactory } from '@holdfast/conversations/testing';
import { onTestFinished } from 'vitest';

/** Stores in memory. */
export function inMemory(make: () => ConversationStore = () => new InMemoryConversationStore()): StoreFactory {
	return { abilities: [], createStores: () => ({ stores: [make()], close() {} }) };
}

/** Stores of files, each as if it were in a process of its own. */
export const files: StoreFactory = {
	abilities: ['crossNode', 'durable', 'outages', 'corruption'],
	async createStores(count) {
		const above = await mkdtemp(join(tmpdir(), 'holdfast-conversations-'));
		const root = join(above, 'conversations');
		const stores = Array.from({ length: count }, () => new FileConversationStore(root));
		return {
			stores,
			backend: {
				restart() {
					const store = new FileConversationStore(root);
					stores.push(store);
					return store;
				},
				fail: () => rename(root, `${root}-gone`),
				heal: () => rename(`${root}-gone`, root),
				async damage(id, part) {
					const file = join(root, id, part === 'head' ? 'conversation.json' : 'messages.jsonl');
					const text = await readFile(file, 'utf8');
					await writeFile(file, `${text.slice(0, 5)}\u0000${text.slice(6)}`);
				},
			},
			async close() {
				for (const store of stores) await store.close();
				await rm(above, { recursive: true, force: true });
			},
		};
	},
};

/** Returns a folder that is removed when the test is over. */
export async function temporaryFolder(): Promise<string> {
	const folder = await mkdtemp(join(tmpdir(), 'holdfast-conversations-'));
	onTestFinished(() => rm(folder, { recursive: true, force: true }));
	return folder;
}
