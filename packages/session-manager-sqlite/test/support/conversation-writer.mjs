// Usage: node conversation-writer.mjs <file> <arguments of writeConversation>
import { SqliteConversationStore } from '@holdfast/session-manager-sqlite/conversations';
import { writeConversation } from '../../../conversations/test/support/write-conversation.mjs';

const [path, ...rest] = process.argv.slice(2);
await writeConversation(new SqliteConversationStore(path), ...rest);
