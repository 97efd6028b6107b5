import { describeConversationStore } from '@holdfast/conversations/testing';
import { SqliteConversationStore } from '@holdfast/session-manager-sqlite/conversations';
import { describe, it } from 'vitest';
import { openDatabase } from './support/open-database.ts';
import { SessionFile } from './support/session-file.ts';

describeConversationStore(
	{
		abilities: ['crossNode', 'durable', 'outages', 'corruption'],
		createStores(count) {
			const file = new SessionFile();
			// Each has a path of its own to the file, and so a connection of its own.
			let paths = 0;
			const open = () => new SqliteConversationStore(file.wayOf(paths++));
			const stores = Array.from({ length: count }, open);
			return {
				stores,
				backend: {
					async restart() {
						for (const store of stores.splice(0)) await store.close();
						const store = open();
						stores.push(store);
						return store;
					},
					fail: () => file.takeAway(),
					heal: () => file.putBack(),
					async damage(id, part) {
						const database = await openDatabase(file.path);
						const which = `(SELECT key FROM holdfast_conversation WHERE id = ?)`;
						if (part === 'head') {
							database.prepare(`UPDATE holdfast_conversation SET head = '{' WHERE id = ?`).run(id);
						} else {
							database.prepare(`UPDATE holdfast_message SET body = '{' WHERE key / ${2 ** 26} = ${which}`).run(id);
						}
						database.close();
					},
				},
				async close() {
					for (const store of stores) await store.close();
					file[Symbol.dispose]();
				},
			};
		},
	},
	{ describe, it },
);
