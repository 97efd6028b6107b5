import type { ConversationStore } from '@holdfast/conversations/custom';
import { expect, it } from 'vitest';
import type { Report, WriterProcess } from './writer-process.ts';

const ALL = { limit: 1_000_000 };
/** How many times a writer is killed; run it with KILLS=200 after a change of how a store writes. */
const KILLS = Number(process.env['KILLS'] ?? 6);
/** The points of kills repeat after so many writes: of each kind some, and a move to the archive. */
const WRITES = 40;
/** How many messages each of three processes writes; run it with MESSAGES=1000. */
const MESSAGES = Number(process.env['MESSAGES'] ?? 100);

/** A store with the conversation `c`, and how a process that writes it is started. */
export interface SharedConversation {
	readonly store: ConversationStore;
	start(name: string, count: number, kinds: string): WriterProcess;
	/** Returns another store over the same data, as after a restart. It is closed when the test is over. */
	restart(): ConversationStore;
}

/** What must be true of every store that several processes use. `open` makes a new one for a test. */
export function testProcesses(open: () => Promise<SharedConversation>): void {
	it('messages of three processes are all there, numbered without holes, each in order', {
		timeout: 300_000,
	}, async () => {
		const { store, start } = await open();
		const names = ['one', 'two', 'three'];
		const reports = await Promise.all(names.map((name) => start(name, MESSAGES, 'm').done()));
		expect(reports.flat().filter(({ error }) => error !== undefined)).toEqual([]);
		const messages = await store.messages('c', ALL);
		expect(messages.map(({ number }) => number)).toEqual(numbers(3 * MESSAGES));
		for (const [index, name] of names.entries()) {
			const own = messages.filter(({ by }) => by === name);
			expect(own.map(({ content }) => content)).toEqual(Array.from({ length: MESSAGES }, (_, n) => `${name}/${n}`));
			expect(reports[index]?.map(({ result }) => result)).toEqual(own.map(({ number }) => number));
		}
	});

	it('what a killed process was told is stored is there and found, and everybody can go on', {
		timeout: 1_800_000,
	}, async () => {
		const { store, start, restart } = await open();
		const acknowledged: (Report & { readonly by: string })[] = [];
		let checked = 0;
		let next = start('w0', 10_000, 'mcdh');
		for (let kill = 0; kill < KILLS; kill++) {
			const [by, writer] = [`w${kill}`, next];
			// At another point of another write each time: the kill comes some microseconds after a report.
			await writer.reported(5 + (kill % WRITES));
			await new Promise((resolve) => setImmediate(resolve));
			const reports = await writer.kill();
			acknowledged.push(...reports.map((report) => ({ ...report, by })));
			// A process takes longer to start than what was written takes to be checked.
			if (kill + 1 < KILLS) next = start(`w${kill + 1}`, 10_000, 'mcdh');
			const messages = await store.messages('c', { ...ALL, after: checked });
			expect(messages.map(({ number }) => number)).toEqual(numbers(messages.length, checked));
			for (const { n, result } of reports.filter(({ kind }) => kind === 'm')) {
				expect(messages[Number(result) - checked - 1]?.content).toBe(`${by}/${n}`);
			}
			checked += messages.length;
			// A database may still be carrying out what the process had sent.
			expect(await store.append('c', [{ role: 'user', content: 'after', at: 1 }])).toBeGreaterThan(checked);
			const terms = [{ words: [by, '0'], prefix: false }];
			expect(await store.search({ terms, conversation: 'c', kinds: ['message'], limit: 9 })).toHaveLength(1);
		}

		const fresh = restart();
		const all = await fresh.messages('c', ALL);
		expect(all.map(({ number }) => number)).toEqual(numbers(all.length));
		const texts = new Map(all.map(({ number, content }) => [number, content]));
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
	});
}

function numbers(count: number, after = 0): number[] {
	return Array.from({ length: count }, (_, index) => after + index + 1);
}
