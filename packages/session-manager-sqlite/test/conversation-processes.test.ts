import { fileURLToPath } from 'node:url';
import { SqliteConversationStore } from '@holdfast/session-manager-sqlite/conversations';
import { expect, it, onTestFinished } from 'vitest';
import { sampleHead } from '../../conversations/test/support/samples.ts';
import { WriterProcess } from '../../conversations/test/support/writer-process.ts';
import { SessionFile } from './support/session-file.ts';

const ALL = { limit: 1_000_000 };
/** How many times a writer is killed, and how many messages each of three processes writes. */
const KILLS = Number(process.env['KILLS'] ?? 6);
const MESSAGES = Number(process.env['MESSAGES'] ?? 100);
const program = fileURLToPath(new URL('./support/conversation-writer.mjs', import.meta.url));

async function open() {
	const file = new SessionFile();
	const store = new SqliteConversationStore(file.path);
	onTestFinished(async () => {
		await store.close();
		file[Symbol.dispose]();
	});
	await store.create(sampleHead('c'));
	const start = (name: string, count: number, kinds: string) =>
		new WriterProcess(file.path, name, count, kinds, '', program);
	return { store, start };
}

it('messages of three processes are all there, numbered without holes, each in order', {
	timeout: 300_000,
}, async () => {
	const { store, start } = await open();
	const names = ['one', 'two', 'three'];
	const reports = await Promise.all(names.map((name) => start(name, MESSAGES, 'm').done()));
	expect(reports.flat().filter(({ error }) => error !== undefined)).toEqual([]);
	const messages = await store.messages('c', ALL);
	expect(messages.map(({ number }) => number)).toEqual(Array.from({ length: 3 * MESSAGES }, (_, n) => n + 1));
	for (const name of names) {
		const own = messages.filter(({ by }) => by === name).map(({ content }) => content);
		expect(own).toEqual(Array.from({ length: MESSAGES }, (_, n) => `${name}/${n}`));
	}
});

it('what a killed process was told is stored is there, and is found', { timeout: 1_800_000 }, async () => {
	const { store, start } = await open();
	for (let kill = 0; kill < KILLS; kill++) {
		const name = `w${kill}`;
		const writer = start(name, 10_000, 'mcdh');
		await writer.reported(5 + kill);
		const reports = await writer.kill();
		expect(reports.length).toBeGreaterThanOrEqual(5);
		const texts = new Map((await store.messages('c', ALL)).map(({ number, content }) => [number, content]));
		expect([...texts.keys()]).toEqual(Array.from({ length: texts.size }, (_, n) => n + 1));
		const titles = new Map((await store.discoveries('c', ALL)).map(({ number, title }) => [number, title]));
		const context = new Map((await store.context('c')).map((entry) => [entry.key, Number(entry.version)]));
		const metadata = (await store.read('c'))?.head.metadata ?? {};
		for (const { kind, n, result } of reports) {
			if (kind === 'm') expect(texts.get(Number(result))).toBe(`${name}/${n}`);
			if (kind === 'd') expect(titles.get(Number(result))).toBe(`${name}/${n}`);
			if (kind === 'c') {
				const { version } = result as { version: string };
				expect(context.get(`${name}-${n % 7}`)).toBeGreaterThanOrEqual(Number(version));
			}
			if (kind === 'h') expect(Number(metadata[name])).toBeGreaterThanOrEqual(n);
		}
		const terms = [{ words: [name, '0'], prefix: false }];
		expect(await store.search({ terms, conversation: 'c', kinds: ['message'], limit: 9 })).toHaveLength(1);
	}
});
