// Usage: node half-moved.mjs <folder> <killed or full> <more arguments of writeConversation>
// Between two steps of a move to the archive, when its file is there and the log is not yet rewritten, the process is
// killed, or the disk is full, the first ten times.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { basename } from 'node:path';

const [root, how, ...rest] = process.argv.slice(2);
const { rename } = fs.promises;
let failures = 10;
fs.promises.rename = async (from, to) => {
	if (basename(to) !== 'messages.jsonl' || failures === 0) return rename(from, to);
	if (how === 'killed') process.kill(process.pid, 'SIGKILL');
	failures--;
	throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
};
syncBuiltinESMExports();

const { FileConversationStore } = await import('@holdfast/conversations');
const { writeConversation } = await import('./write-conversation.mjs');
await writeConversation(new FileConversationStore(root), how, ...rest);
