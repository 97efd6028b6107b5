import { FileConversationStore } from '@holdfast/conversations';
import { expect, it, onTestFinished } from 'vitest';
import { testProcesses } from '../support/process-tests.ts';
import { sampleHead } from '../support/samples.ts';
import { temporaryFolder } from '../support/stores.ts';
import { WriterProcess } from '../support/writer-process.ts';

const ALL = { limit: 1_000_000 };

testProcesses(async () => {
	const root = await temporaryFolder();
	const open = () => {
		const store = new FileConversationStore(root);
		onTestFinished(() => store.close());
		return store;
	};
	const store = open();
	await store.create(sampleHead('c'));
	return { store, start: (name, count, kinds) => new WriterProcess(root, name, count, kinds), restart: open };
});

it('a full disk is an error that says so, and harms nothing that is stored', { timeout: 120_000 }, async () => {
	const root = await temporaryFolder();
	const store = new FileConversationStore(root);
	await store.create(sampleHead('c'));
	await store.append('c', [{ role: 'user', content: 'x'.repeat(3_000), at: 1 }]);
	// No file of this process may grow beyond 4 KiB: what is written is cut off in the middle, as on a full disk.
	const limit = 'ulimit -f 8;';
	const reports = await new WriterProcess(root, 'w', 40, 'm', limit).done();
	const failed = reports.filter(({ error }) => error !== undefined);
	expect(failed.length).toBeGreaterThan(0);
	for (const { error, message } of failed) {
		expect(error).toBe('unavailable');
		expect(message).toContain('The disk is full: free some space');
	}
	const stored = reports.filter(({ error }) => error === undefined);
	const messages = await store.messages('c', ALL);
	expect(messages.slice(1).map(({ content }) => content)).toEqual(stored.map(({ n }) => `w/${n}`));
	expect(await store.append('c', [{ role: 'user', content: 'room again', at: 1 }])).toBe(messages.length + 1);
	await store.close();
});
