import { FileConversationStore } from '@holdfast/conversations';
import { expect, it } from 'vitest';
import { sampleHead } from '../support/samples.ts';
import { temporaryFolder } from '../support/stores.ts';
import { type Report, WriterProcess } from '../support/writer-process.ts';

const ALL = { limit: 1_000_000 };
/** How many times a writer is killed; run it with KILLS=200 after a change of how files are written. */
const KILLS = Number(process.env['KILLS'] ?? 8);
/** How many messages each of three processes writes; run it with MESSAGES=1000. */
const MESSAGES = Number(process.env['MESSAGES'] ?? 100);

it('messages of three processes are all there, numbered without holes, each in order', {
	timeout: 300_000,
}, async () => {
	const root = await temporaryFolder();
	const store = new FileConversationStore(root);
	await store.create(sampleHead('c'));
	const names = ['one', 'two', 'three'];
	const reports = await Promise.all(names.map((name) => new WriterProcess(root, name, MESSAGES, 'm').done()));
	expect(reports.flat().filter(({ error }) => error !== undefined)).toEqual([]);
	const messages = await store.messages('c', ALL);
	expect(messages.map(({ number }) => number)).toEqual(Array.from({ length: 3 * MESSAGES }, (_, n) => n + 1));
	for (const [index, name] of names.entries()) {
		const own = messages.filter(({ by }) => by === name);
		expect(own.map(({ content }) => content)).toEqual(Array.from({ length: MESSAGES }, (_, n) => `${name}/${n}`));
		expect(reports[index]?.map(({ result }) => result)).toEqual(own.map(({ number }) => number));
	}
	await store.close();
});

it('what a killed process was told is stored is there, and everybody can go on', { timeout: 1_800_000 }, async () => {
	const root = await temporaryFolder();
	const store = new FileConversationStore(root);
	await store.create(sampleHead('c'));
	const acknowledged: (Report & { readonly by: string })[] = [];
	for (let kill = 0; kill < KILLS; kill++) {
		const writer = new WriterProcess(root, `w${kill}`, 10_000, 'mcdh');
		// At another point of another write each time: the kill comes some microseconds after a report.
		await writer.reported(5 + kill);
		await new Promise((resolve) => setImmediate(resolve));
		acknowledged.push(...(await writer.kill()).map((report) => ({ ...report, by: `w${kill}` })));
		const messages = await store.messages('c', ALL);
		expect(messages.map(({ number }) => number)).toEqual(Array.from({ length: messages.length }, (_, n) => n + 1));
		expect(await store.append('c', [{ role: 'user', content: 'after', at: 1 }])).toBe(messages.length + 1);
	}
	await store.close();

	const fresh = new FileConversationStore(root);
	const texts = new Map((await fresh.messages('c', ALL)).map(({ number, content }) => [number, content]));
	const titles = new Map((await fresh.discoveries('c', ALL)).map(({ number, title }) => [number, title]));
	const context = new Map((await fresh.context('c')).map((entry) => [entry.key, Number(entry.version)]));
	const metadata = (await fresh.read('c'))?.head.metadata ?? {};
	for (const { kind, n, result, by } of acknowledged) {
		if (kind === 'm') expect(texts.get(Number(result))).toBe(`${by}/${n}`);
		if (kind === 'd') expect(titles.get(Number(result))).toBe(`${by}/${n}`);
		if (kind === 'c') {
			const { version } = result as { version: string };
			expect(context.get(`${by}-${n % 7}`)).toBeGreaterThanOrEqual(Number(version));
		}
		if (kind === 'h') expect(Number(metadata[by])).toBeGreaterThanOrEqual(n);
	}
	expect(acknowledged.length).toBeGreaterThanOrEqual(KILLS * 5);
	await fresh.close();
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
