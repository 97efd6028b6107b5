import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FileConversationStore } from '@holdfast/conversations';
import { expect, it, onTestFinished } from 'vitest';
import { sampleHead } from '../support/samples.ts';
import { temporaryFolder } from '../support/stores.ts';
import { WriterProcess } from '../support/writer-process.ts';

const ALL = { limit: 1_000_000 };
const ROOM = { keep: 20, batch: 10 };
const program = fileURLToPath(new URL('../support/half-moved.mjs', import.meta.url));
const say = (content: string, by = 'bob') => ({ role: 'user' as const, content, at: 1, by });

/** A conversation with so many messages of Bob's that the next one begins a move. This process has read all of it. */
async function open() {
	const root = await temporaryFolder();
	const again = () => {
		const store = new FileConversationStore(root);
		onTestFinished(() => store.close());
		return store;
	};
	const store = again();
	await store.create(sampleHead('c'));
	for (let n = 1; n <= ROOM.keep; n++) await store.append('c', [say(`private ${n}`)], ROOM);
	await store.messages('c', ALL);
	const archive = async () => (await readdir(join(root, 'c', 'archive'))).filter((name) => !name.startsWith('.'));
	return { root, store, again, archive };
}

/** A process that was killed after the archive was written, and before the log. */
async function killed(root: string, archive: () => Promise<string[]>): Promise<void> {
	expect(await new WriterProcess(root, 'killed', 1, 'm', '', program).done()).toEqual([]);
	expect(await archive()).toEqual(['000000001-000000010.jsonl']);
}

it('what a killed process had moved is erased in both places, by one that has read the log before', async () => {
	const { root, store, again, archive } = await open();
	await killed(root, archive);
	expect(await store.eraseAuthor('c', 'bob')).toBe(ROOM.keep);
	for (const each of [store, again()]) {
		const contents = (await each.messages('c', ALL)).map(({ content }) => content);
		expect(contents).toEqual([...Array(ROOM.keep).fill('[erased]'), 'killed/0']);
	}
	for (const name of await readdir(join(root, 'c'), { recursive: true })) {
		const path = join(root, 'c', name);
		if ((await stat(path)).isFile()) expect(await readFile(path, 'utf8'), name).not.toContain('private');
	}
});

it('what a killed process had moved is not moved again, by one that has read the log before', async () => {
	const { root, store, again, archive } = await open();
	await killed(root, archive);
	const more = Array.from({ length: 29 }, (_, index) => say(`${22 + index}`));
	expect(await store.append('c', more.slice(0, 10), ROOM)).toBe(22);
	for (const [index, message] of more.slice(10).entries()) {
		expect(await store.append('c', [message], ROOM)).toBe(32 + index);
	}
	expect(await archive()).toEqual([
		'000000001-000000010.jsonl',
		'000000011-000000020.jsonl',
		'000000021-000000030.jsonl',
	]);
	for (const each of [store, again()]) {
		const numbers = (await each.messages('c', ALL)).map(({ number }) => number);
		expect(numbers).toEqual(Array.from({ length: 50 }, (_, index) => index + 1));
	}
});

it('a disk that is full between the two steps of moves harms nothing, and there is order once it has room', async () => {
	const { root, store, again, archive } = await open();
	const reports = await new WriterProcess(root, 'full', 130, 'm', '', program).done();
	expect(reports.map(({ result }) => result)).toEqual(Array.from({ length: 130 }, (_, index) => 21 + index));
	for (const each of [store, again()]) {
		const numbers = (await each.messages('c', ALL)).map(({ number }) => number);
		expect(numbers).toEqual(Array.from({ length: 150 }, (_, index) => index + 1));
	}
	const ends = (await archive()).map((name) => name.split(/[-.]/).slice(0, 2).map(Number));
	expect(ends).toEqual(ends.map((_, index) => [index * 10 + 1, (index + 1) * 10]));
	expect((await store.counts('c'))?.archivedMessages).toBe(130);
});

it('of files that begin with the same message the longest is read, and all of them are erased', async () => {
	const { root, store, again } = await open();
	for (let n = 21; n <= 31; n++) await store.append('c', [say(`private ${n}`)], ROOM);
	const left = join(root, 'c', 'archive', '000000001-000000004.jsonl');
	const whole = await readFile(join(root, 'c', 'archive', '000000001-000000010.jsonl'), 'utf8');
	await writeFile(left, `${whole.split('\n').slice(0, 4).join('\n')}\n`);
	const other = again();
	expect((await other.messages('c', ALL)).map(({ content }) => content)).toEqual(
		Array.from({ length: 31 }, (_, index) => `private ${index + 1}`),
	);
	expect(await other.eraseAuthor('c', 'bob')).toBe(31);
	expect(await readFile(left, 'utf8')).not.toContain('private');
	expect(await again().append('c', [say('more', 'alice')], ROOM)).toBe(32);
});
