// Usage: node conversation-writer.mjs "<url> <schema>" <arguments of writeConversation>
import { PostgresConversationStore } from '@holdfast/session-manager-postgres/conversations';
import { writeConversation } from '../../../conversations/test/support/write-conversation.mjs';

const [where, ...rest] = process.argv.slice(2);
const [url, schema] = where.split(' ');
const store = new PostgresConversationStore(url, { schema, migrate: false });
await connected();
await writeConversation(store, ...rest);

/** A busy machine may take longer to connect than a call waits. */
async function connected() {
	for (;;) {
		try {
			return await store.read('c');
		} catch {
			// It is tried again.
		}
	}
}
