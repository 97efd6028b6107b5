import assert from 'node:assert/strict';
import type { ConversationState } from '../contract/conversation-record.js';
import type { WriterUse } from '../contract/conversation-store.js';
import { ALL, codeOf, sampleHead, sampleMessage } from './samples.js';
import type { StoreCase } from './store-case.js';
import { storePromises as promises } from './store-promises.js';

/** Messages: numbered without holes, moved to the archive, always readable. */
export const messageCases: readonly StoreCase[] = [
	{
		id: 'messages/as-written',
		promise: promises.messages,
		title: 'messages are read as they were written, text and blocks alike',
		needs: [],
		async run({ a, b }) {
			await a.create(sampleHead('c'));
			const blocks = [
				{ type: 'text', text: 'ü \u2028 😀 "\\' },
				{ type: 'image', data: 'AAAA', mimeType: 'image/png' },
			];
			const given = [
				sampleMessage('line\nbreak', { by: 'alice', metadata: { tokens: 12 } }),
				sampleMessage(blocks, { role: 'assistant', at: 2 }),
				sampleMessage('', { role: 'tool', at: 3 }),
			];
			assert.equal(await a.append('c', given), 1);
			const read = JSON.parse(JSON.stringify(await b.messages('c', ALL)));
			assert.deepEqual(
				read,
				given.map((message, index) => ({ ...message, number: index + 1, archived: false })),
			);
		},
	},
	{
		id: 'messages/without-holes',
		promise: promises.append,
		title: 'messages of writers on two nodes are all there, numbered without holes, each writer in order',
		needs: [],
		async run({ a, b }) {
			await a.create(sampleHead('c'));
			await Promise.all(
				[a, b, a].map(async (store, writer) => {
					for (let n = 0; n < 30; n += 2) {
						const pair = [n, n + 1].map((each) => sampleMessage(`${writer}/${each}`));
						assert.ok(await store.append('c', pair, { keep: 20, batch: 5 }));
					}
				}),
			);
			const messages = await b.messages('c', ALL);
			assert.deepEqual(
				messages.map(({ number }) => number),
				Array.from({ length: 90 }, (_, n) => n + 1),
			);
			for (const writer of [0, 1, 2]) {
				const own = messages.map(({ content }) => String(content)).filter((text) => text.startsWith(`${writer}/`));
				assert.deepEqual(
					own,
					Array.from({ length: 30 }, (_, n) => `${writer}/${n}`),
				);
			}
			for (const [index, { content }] of messages.entries()) {
				const [writer, n] = String(content).split('/').map(Number);
				if (n !== undefined && n % 2 === 0) assert.equal(messages[index + 1]?.content, `${writer}/${n + 1}`);
			}
		},
	},
	{
		id: 'messages/as-somebody',
		promise: promises.appendAs,
		title: 'only owners and writers append as themselves, to what is active and has room, and that counts as a use',
		needs: [],
		async run({ a, b }) {
			const members = [
				{ principal: 'alice', role: 'owner', since: 1 },
				{ principal: 'wri"ter', role: 'writer', since: 1 },
				{ principal: 'reader', role: 'reader', since: 1 },
				{ principal: 'former', role: 'former', since: 1 },
			] as const;
			// What looks like a member is none.
			const metadata = { members: [{ principal: 'stranger', role: 'writer' }] };
			await a.create(sampleHead('c', { members, metadata, title: '\\u "principal":"stranger"' }));
			const room = { keep: 4, batch: 2 };
			const as = (writer: string, given: Partial<WriterUse> = {}) =>
				b.appendAs('c', [sampleMessage(`by ${writer}`)], room, {
					...{ writer, maxBytes: 100_000_000, at: 10, intervalMs: 5 },
					...given,
				});
			const isUsedAt = async (at: number) => assert.equal((await a.read('c'))?.head.lastUsedAt, at);
			assert.equal(await as('alice'), 1);
			await isUsedAt(10);
			assert.equal(await as('wri"ter', { at: 14 }), 2);
			await isUsedAt(10);
			assert.equal(await as('alice', { at: 15 }), 3);
			await isUsedAt(15);
			for (const writer of ['reader', 'former', 'stranger', 'Alice', '']) assert.equal(await as(writer), false);
			assert.equal(await as('alice', { maxBytes: 1, at: 99 }), false);
			assert.equal(
				await b.appendAs('missing', [sampleMessage('x')], room, {
					writer: 'alice',
					maxBytes: 1_000,
					at: 1,
					intervalMs: 1,
				}),
				undefined,
			);
			await Promise.all([as('alice'), as('wri"ter'), as('alice')]);
			assert.equal((await a.counts('c'))?.archivedMessages, 2);
			const change = async (state: ConversationState) => {
				const stored = await a.read('c');
				assert.ok(stored && (await a.write('c', stored.version, { ...stored.head, state })));
			};
			await change('suspended');
			assert.equal(await as('alice', { at: 99 }), false);
			await change('terminated');
			assert.ok(!(await as('alice', { at: 99 })));
			await isUsedAt(15);
			const messages = await a.messages('c', ALL);
			assert.deepEqual(
				messages.map(({ number }) => number),
				[1, 2, 3, 4, 5, 6],
			);
			assert.ok(messages.every(({ content }) => content === 'by alice' || content === 'by wri"ter'));
		},
	},
	{
		id: 'messages/range',
		promise: promises.range,
		title: 'a range has the newest messages within its bounds, in ascending order, across the archive',
		needs: [],
		async run({ a, b }) {
			await a.create(sampleHead('c'));
			for (let n = 1; n <= 25; n++) await a.append('c', [sampleMessage(`${n}`)], { keep: 10, batch: 5 });
			const numbers = async (range: Parameters<typeof a.messages>[1]) =>
				(await b.messages('c', range)).map(({ number }) => number);
			assert.deepEqual(await numbers({ limit: 3 }), [23, 24, 25]);
			assert.deepEqual(await numbers({ before: 20, limit: 4 }), [16, 17, 18, 19]);
			assert.deepEqual(await numbers({ before: 13, after: 9, limit: 99 }), [10, 11, 12]);
			assert.deepEqual(await numbers({ after: 23, limit: 99 }), [24, 25]);
			assert.deepEqual(await numbers({ before: 1, limit: 99 }), []);
			assert.deepEqual(await numbers({ after: 25, limit: 99 }), []);
			assert.deepEqual(await numbers({ limit: 0 }), []);
			assert.equal((await numbers(ALL)).length, 25);
		},
	},
	{
		id: 'messages/bytes',
		promise: promises.rangeBytes,
		title: 'a range ends where its messages have too many bytes, in the working history or the archive, but has one',
		needs: [],
		async run({ a, b }) {
			await a.create(sampleHead('c'));
			// The odd ones are blocks, of which a store may keep text and the rest apart.
			const contentOf = (n: number) => (n % 2 === 0 ? 'x'.repeat(1_000) : [{ type: 'text', text: 'ü'.repeat(500) }]);
			for (let n = 1; n <= 25; n++) await a.append('c', [sampleMessage(contentOf(n))], { keep: 10, batch: 5 });
			const numbers = async (range: Parameters<typeof a.messages>[1]) =>
				(await b.messages('c', range)).map(({ number }) => number);
			const all = Array.from({ length: 25 }, (_, n) => n + 1);
			// Each has some more than 1,000 bytes; twice as many where a store keeps the text of blocks a second time.
			for (const maxBytes of [5_000, 15_000]) {
				const found = await numbers({ limit: 99, maxBytes });
				assert.ok(found.length >= maxBytes / 2_500 && found.length < maxBytes / 1_000, String(found.length));
				assert.deepEqual(found, all.slice(-found.length));
			}
			assert.deepEqual(await numbers({ limit: 2, maxBytes: 15_000 }), [24, 25]);
			assert.deepEqual(await numbers({ before: 20, limit: 99, maxBytes: 1 }), [19]);
			assert.deepEqual(await numbers({ before: 1, limit: 99, maxBytes: 1 }), []);
			assert.deepEqual(await numbers({ limit: 99, maxBytes: 1_000_000 }), all);
		},
	},
	{
		id: 'messages/without-gaps',
		promise: promises.rangeBytes,
		title: 'what does not fit ends a range, though older messages would, at every border of the archive',
		needs: [],
		async run({ a, b }) {
			await a.create(sampleHead('c'));
			const all = Array.from({ length: 25 }, (_, n) => n + 1);
			// The oldest of the working history, and of each batch that moves to the archive.
			const large = [6, 7, 11, 12, 16, 17];
			for (const n of all) {
				const content = 'x'.repeat(large.includes(n) ? 3_000 : 10);
				await a.append('c', [sampleMessage(content)], { keep: 10, batch: 5 });
			}
			for (const maxBytes of [2_000, 4_500, 8_000]) {
				const paged: number[] = [];
				for (let before: number | undefined; before !== 1; before = paged[0]) {
					const page = await b.messages('c', { before, limit: 99, maxBytes });
					assert.ok(page.length > 0);
					paged.unshift(...page.map(({ number }) => number));
				}
				assert.deepEqual(paged, all);
			}
		},
	},
	{
		id: 'messages/archived',
		promise: promises.archive,
		title: 'the oldest messages move to the archive in batches, and are read as before',
		needs: [],
		async run({ a, b }) {
			await a.create(sampleHead('c'));
			for (let n = 1; n <= 10; n++) await a.append('c', [sampleMessage(`${n}`)], { keep: 10, batch: 4 });
			assert.equal((await b.counts('c'))?.archivedMessages, 0);
			await b.append('c', [sampleMessage('11')], { keep: 10, batch: 4 });
			assert.equal((await a.counts('c'))?.archivedMessages, 4);
			assert.equal((await a.counts('c'))?.messages, 11);
			const messages = await a.messages('c', ALL);
			assert.deepEqual(
				messages.map(({ content }) => content),
				Array.from({ length: 11 }, (_, n) => `${n + 1}`),
			);
			assert.deepEqual(
				messages.map(({ archived }) => archived),
				Array.from({ length: 11 }, (_, n) => n < 4),
			);
			await a.append(
				'c',
				Array.from({ length: 12 }, (_, n) => sampleMessage(`${n + 12}`)),
				{ keep: 10, batch: 4 },
			);
			assert.equal((await b.counts('c'))?.archivedMessages, 16);
			assert.equal((await b.messages('c', ALL)).length, 23);
			assert.equal(await b.append('c', [sampleMessage('24')], { keep: 10, batch: 4 }), 24);
		},
	},
	{
		id: 'messages/durable',
		promise: promises.durable,
		title: 'after a restart, everything that was acknowledged is there',
		needs: ['durable'],
		async run({ a, backend }) {
			await a.create(sampleHead('c'));
			for (let n = 1; n <= 30; n++) await a.append('c', [sampleMessage(`${n}`)], { keep: 10, batch: 5 });
			const written = await a.setContext('c', 'k', '*', { value: { deep: ['x'] }, at: 5 });
			const store = await backend.restart();
			assert.equal((await store.messages('c', ALL)).length, 30);
			const [entry] = await store.context('c');
			assert.deepEqual(entry?.value, { deep: ['x'] });
			assert.ok(written);
			assert.equal(entry?.version, written.version);
			assert.equal(await store.append('c', [sampleMessage('31')]), 31);
			assert.equal(await store.create(sampleHead('c')), false);
		},
	},
	{
		id: 'messages/corrupt',
		promise: promises.corrupt,
		title: 'damaged messages are an error of their own, stay as they are, and leave other conversations alone',
		needs: ['corruption'],
		async run({ a, b, backend }) {
			for (const id of ['bad', 'good']) {
				await a.create(sampleHead(id));
				await a.append(id, [sampleMessage('one'), sampleMessage('two')]);
			}
			await backend.damage('bad', 'messages');
			assert.equal(await codeOf(() => b.messages('bad', ALL)), 'corrupt');
			// Whether a store looks at what is there before it appends is its own affair.
			assert.ok(['corrupt', 3].includes((await codeOf(() => b.append('bad', [sampleMessage('three')]))) as string));
			assert.equal(await codeOf(() => b.messages('bad', ALL)), 'corrupt');
			assert.equal((await b.messages('good', ALL)).length, 2);
			assert.deepEqual([...(await a.messages('missing', ALL))], []);
		},
	},
	{
		id: 'head/corrupt',
		promise: promises.listCorrupt,
		title: 'a damaged head is an error, its id stays taken, and lists go on without it and say so',
		needs: ['corruption'],
		async run({ a, b, backend }) {
			for (const id of ['bad', 'good']) await a.create(sampleHead(id));
			await backend.damage('bad', 'head');
			assert.equal(await codeOf(() => b.read('bad')), 'corrupt');
			assert.equal(await b.create(sampleHead('bad')), false);
			assert.equal(await codeOf(() => b.append('bad', [sampleMessage('late')])), 'corrupt');
			const [room, use] = [
				{ keep: 9, batch: 1 },
				{ writer: 'alice', maxBytes: 1_000, at: 1, intervalMs: 1 },
			];
			assert.equal(await codeOf(() => b.appendAs('bad', [sampleMessage('late')], room, use)), 'corrupt');
			const errors: unknown[] = [];
			b.onerror = (error) => errors.push(error);
			for (const filter of [{}, { principal: 'alice' }]) {
				const { conversations, damaged } = await b.list(filter, undefined, 10);
				assert.deepEqual(
					conversations.map(({ head }) => head.id),
					['good'],
				);
				assert.deepEqual(damaged, ['bad']);
			}
			assert.equal(errors.length, 2);
			assert.equal(await codeOf(() => b.read('bad')), 'corrupt');
		},
	},
	{
		id: 'messages/unavailable',
		promise: promises.threeWays,
		title: 'while the data cannot be reached, every method says so, and afterwards everything is as before',
		needs: ['outages'],
		async run({ a, backend }) {
			await a.create(sampleHead('c'));
			await a.append('c', [sampleMessage('one')]);
			await backend.fail();
			assert.equal(await codeOf(() => a.read('c')), 'unavailable');
			assert.equal(await codeOf(() => a.read('never')), 'unavailable');
			assert.equal(await codeOf(() => a.append('c', [sampleMessage('two')])), 'unavailable');
			assert.equal(await codeOf(() => a.create(sampleHead('d'))), 'unavailable');
			assert.equal(await codeOf(() => a.list({}, undefined, 10)), 'unavailable');
			await backend.heal();
			assert.deepEqual(
				(await a.messages('c', ALL)).map(({ content }) => content),
				['one'],
			);
			assert.equal(await a.append('c', [sampleMessage('two')]), 2);
			assert.equal(await a.read('d'), undefined);
		},
	},
];
