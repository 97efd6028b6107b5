// Usage: node writer.mjs <folder> <arguments of writeConversation>
import { FileConversationStore } from '@holdfast/conversations';
import { writeConversation } from './write-conversation.mjs';

const [root, ...rest] = process.argv.slice(2);
await writeConversation(new FileConversationStore(root), ...rest);
