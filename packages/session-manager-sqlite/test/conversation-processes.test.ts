import { fileURLToPath } from 'node:url';
import { SqliteConversationStore } from '@holdfast/session-manager-sqlite/conversations';
import { onTestFinished } from 'vitest';
import { testProcesses } from '../../conversations/test/support/process-tests.ts';
import { sampleHead } from '../../conversations/test/support/samples.ts';
import { WriterProcess } from '../../conversations/test/support/writer-process.ts';
import { SessionFile } from './support/session-file.ts';

const program = fileURLToPath(new URL('./support/conversation-writer.mjs', import.meta.url));

testProcesses(async () => {
	const file = new SessionFile();
	onTestFinished(() => file[Symbol.dispose]());
	const open = () => {
		const store = new SqliteConversationStore(file.path);
		onTestFinished(() => store.close());
		return store;
	};
	const store = open();
	await store.create(sampleHead('c'));
	const start = (name: string, count: number, kinds: string) =>
		new WriterProcess(file.path, name, count, kinds, '', program);
	return {
		store,
		start,
		restart() {
			void store.close();
			return open();
		},
	};
});
