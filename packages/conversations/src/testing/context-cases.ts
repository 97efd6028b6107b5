import assert from 'node:assert/strict';
import type { ContextEntry, ConversationHead } from '../contract/conversation-record.js';
import type { ConversationStore } from '../contract/conversation-store.js';
import { ALL, codeOf, sampleDiscovery, sampleHead, sampleMessage } from './samples.js';
import type { StoreCase } from './store-case.js';
import { storePromises as promises } from './store-promises.js';

/** Context and discoveries. */
export const contextCases: readonly StoreCase[] = [
	{
		id: 'context/as-written',
		promise: promises.context,
		title: 'values are read as they were written, all or some, with their type, size and times',
		needs: [],
		async run({ a, b }) {
			await a.create(sampleHead('c'));
			const values = { text: 'ü', number: 1.5, yes: true, none: null, list: [1, [2]], object: { deep: { a: 1 } } };
			for (const [key, value] of Object.entries(values)) {
				await a.setContext('c', key, undefined, { value, at: 10, by: 'alice' });
			}
			const entries = new Map((await b.context('c')).map((entry) => [entry.key, entry]));
			for (const [key, value] of Object.entries(values)) assert.deepEqual(entries.get(key)?.value, value);
			assert.deepEqual([...entries.values()].map(({ type }) => type).sort(), [
				'array',
				'boolean',
				'null',
				'number',
				'object',
				'string',
			]);
			assert.equal(entries.get('text')?.bytes, 'text'.length + '"ü"'.length + 1);
			await b.setContext('c', 'text', '*', { value: 'new', at: 20, by: 'bob' });
			const [text] = await a.context('c', ['text', 'missing', 'text']);
			const { value, addedAt, updatedAt, accessedAt, by, archived } = text ?? {};
			assert.deepEqual(
				{ value, addedAt, updatedAt, accessedAt, by, archived },
				{ value: 'new', addedAt: 10, updatedAt: 20, accessedAt: 20, by: 'bob', archived: false },
			);
			assert.equal((await a.context('c', ['text', 'missing', 'text'])).length, 1);
			assert.equal((await b.counts('c'))?.context, 6);
		},
	},
	{
		id: 'context/compare-and-set',
		promise: promises.setContext,
		title: 'of 10 writes from the same version one is made; a version never comes back, not even after a removal',
		needs: [],
		async run({ a, b }) {
			await a.create(sampleHead('c'));
			const write = (n: number) => ({ value: n, at: n });
			const first = await Promise.all(
				Array.from({ length: 10 }, async (_, n) => (n % 2 ? a : b).setContext('c', 'k', undefined, write(n))),
			);
			assert.equal(first.filter(Boolean).length, 1);
			const version = (await a.context('c'))[0]?.version;
			const second = await Promise.all(
				Array.from({ length: 10 }, async (_, n) => (n % 2 ? a : b).setContext('c', 'k', version, write(n))),
			);
			assert.equal(second.filter(Boolean).length, 1);
			assert.ok(await a.setContext('c', 'k', '*', undefined));
			assert.equal((await b.context('c')).length, 0);
			assert.ok(await b.setContext('c', 'k', undefined, write(1)));
			assert.equal(await a.setContext('c', 'k', version, write(2)), false);
			assert.equal(await a.setContext('c', 'k', undefined, write(2)), false);
		},
	},
	{
		id: 'context/concurrent',
		promise: promises.atomic,
		title: 'values that are set on two nodes at once are all there',
		needs: [],
		async run({ a, b }) {
			await a.create(sampleHead('c'));
			await Promise.all(
				Array.from({ length: 40 }, async (_, n) => (n % 2 ? a : b).setContext('c', `k${n}`, '*', { value: n, at: 1 })),
			);
			assert.equal((await b.context('c')).length, 40);
		},
	},
	{
		id: 'context/makes-room',
		promise: promises.contextRoom,
		title: 'a fifth of the values moves to the archive, those unused for longest, and none is gone',
		needs: [],
		async run({ a, b }) {
			await a.create(sampleHead('c'));
			const value = 'x'.repeat(96);
			for (let n = 0; n < 10; n++) await a.setContext('c', `k${n}`, '*', { value, at: n }, 1_000);
			assert.equal((await b.counts('c'))?.contextBytes, 1_000);
			await b.touchContext('c', ['k0'], 50);
			const written = await b.setContext('c', 'kA', '*', { value, at: 60 }, 1_000);
			assert.deepEqual(written && [...written.archived].sort(), ['k1', 'k2']);
			const archived = (await a.context('c')).filter((entry) => entry.archived).map(({ key }) => key);
			assert.deepEqual(archived.sort(), ['k1', 'k2']);
			assert.equal((await a.context('c', ['k1']))[0]?.value, value);
			const { context, archivedContext, contextBytes } = (await a.counts('c')) ?? {};
			assert.deepEqual(
				{ context, archivedContext, contextBytes },
				{ context: 9, archivedContext: 2, contextBytes: 900 },
			);
			const large = await a.setContext('c', 'large', '*', { value: 'x'.repeat(600), at: 70 }, 1_000);
			assert.deepEqual(large && [...large.archived].sort(), ['k3', 'k4', 'k5', 'k6', 'k7', 'k8']);
		},
	},
	{
		id: 'context/live',
		promise: promises.liveContext,
		title: 'the values that are not archived are read as all are, without the archived ones',
		needs: [],
		async run({ a, b }) {
			assert.deepEqual(await a.liveContext('c'), []);
			await a.create(sampleHead('c'));
			const value = 'x'.repeat(96);
			for (let n = 0; n < 11; n++) await a.setContext('c', `k${n}`, '*', { value, at: n, by: 'alice' }, 1_000);
			const live = (await b.context('c')).filter(({ archived }) => !archived);
			assert.equal(live.length, 9);
			const byKey = (entries: readonly ContextEntry[]) =>
				entries.toSorted((one, other) => one.key.localeCompare(other.key));
			assert.deepEqual(byKey(await b.liveContext('c')), byKey(live));
		},
	},
	{
		id: 'context/too-large',
		promise: promises.contextLimit,
		title: 'a value that has no room alone is refused, and nothing moves',
		needs: [],
		async run({ a, b }) {
			await a.create(sampleHead('c'));
			await a.setContext('c', 'k', '*', { value: 'small', at: 1 }, 100);
			const write = { value: 'x'.repeat(200), at: 2 };
			assert.equal(await codeOf(() => a.setContext('c', 'large', '*', write, 100)), 'limit');
			assert.deepEqual(
				(await b.context('c')).map(({ key, archived }) => ({ key, archived })),
				[{ key: 'k', archived: false }],
			);
		},
	},
	{
		id: 'context/brought-back',
		promise: promises.broughtBack,
		title: 'an archived value is compared with, and comes back when it is written',
		needs: [],
		async run({ a, b }) {
			await a.create(sampleHead('c'));
			const value = 'x'.repeat(50);
			await a.setContext('c', 'old', '*', { value, at: 1 }, 100);
			await a.setContext('c', 'new', '*', { value, at: 2 }, 100);
			assert.equal((await b.context('c', ['old']))[0]?.archived, true);
			assert.equal(await b.setContext('c', 'old', undefined, { value, at: 3 }, 1_000), false);
			const version = (await b.context('c', ['old']))[0]?.version;
			assert.ok(await b.setContext('c', 'old', version, { value: 'back', at: 3 }, 1_000));
			const [entry] = await a.context('c', ['old']);
			assert.equal(entry?.archived, false);
			assert.equal(entry?.addedAt, 1);
		},
	},
	{
		id: 'context/touched',
		promise: promises.touchContext,
		title: 'a use is recorded, an older one changes nothing, and the version stays',
		needs: [],
		async run({ a, b }) {
			await a.create(sampleHead('c'));
			await a.setContext('c', 'k', '*', { value: 1, at: 10 });
			const version = (await a.context('c'))[0]?.version;
			assert.equal(await b.touchContext('c', ['k', 'missing'], 30), true);
			assert.equal(await a.touchContext('c', ['k'], 20), true);
			const [entry] = await a.context('c');
			assert.equal(entry?.accessedAt, 30);
			assert.equal(entry?.updatedAt, 10);
			assert.equal(entry?.version, version);
			assert.equal((await b.context('c')).length, 1);
		},
	},
	{
		id: 'context/as-somebody',
		promise: promises.contextWriter,
		title: 'only owners and writers set values as themselves, and only while the conversation is active',
		needs: [],
		async run({ a, b }) {
			await a.create(withMembers('c'));
			const as = (writer: string, value: number | undefined) =>
				b.setContext('c', 'k', '*', value === undefined ? undefined : { value, at: 1, by: writer }, 1_000, writer);
			for (const writer of WRITERS) assert.ok(await as(writer, 1), JSON.stringify(writer));
			for (const writer of OTHERS) {
				assert.equal(await as(writer, 2), false, JSON.stringify(writer));
				assert.equal(await as(writer, undefined), false, JSON.stringify(writer));
			}
			assert.equal(await b.setContext('c', 'other', 'x', { value: 1, at: 1 }, 1_000, 'alice'), false);
			await a.write('c', (await a.read('c'))?.version ?? '', { ...withMembers('c'), state: 'suspended' });
			assert.equal(await as('alice', 2), false);
			assert.deepEqual(
				(await a.context('c')).map(({ key, value }) => [key, value]),
				[['k', 1]],
			);
		},
	},
	{
		id: 'discoveries/as-somebody',
		promise: promises.discoveryWriter,
		title: 'only owners and writers add discoveries as themselves, and only while the conversation is active',
		needs: [],
		async run({ a, b }) {
			await a.create(withMembers('c'));
			const as = (writer: string) => b.addDiscovery('c', sampleDiscovery('d', { by: writer }), writer);
			for (const [index, writer] of WRITERS.entries()) assert.equal(await as(writer), index + 1);
			for (const writer of OTHERS) assert.equal(await as(writer), undefined, JSON.stringify(writer));
			assert.equal(await b.addDiscovery('missing', sampleDiscovery('d'), 'alice'), undefined);
			await a.write('c', (await a.read('c'))?.version ?? '', { ...withMembers('c'), state: 'suspended' });
			assert.equal(await as('alice'), undefined);
			assert.equal((await a.counts('c'))?.discoveries, WRITERS.length);
		},
	},
	{
		id: 'discoveries/numbered',
		promise: promises.discoveries,
		title: 'discoveries are read as they were written, numbered without holes, in ranges',
		needs: [],
		async run({ a, b }) {
			await a.create(sampleHead('c'));
			const whole = sampleDiscovery('whole', {
				kind: 'hypothesis',
				description: 'why',
				relevance: 0.7,
				at: 5,
				by: 'alice',
				evidence: { messages: [1, 2], context: ['k'] },
				resolves: [],
			});
			assert.equal(await a.addDiscovery('c', whole), 1);
			assert.deepEqual(JSON.parse(JSON.stringify(await b.discoveries('c', ALL))), [{ ...whole, number: 1 }]);
			const numbers = await Promise.all(
				Array.from({ length: 20 }, async (_, n) => (n % 2 ? a : b).addDiscovery('c', sampleDiscovery(`d${n}`))),
			);
			assert.deepEqual(
				numbers.sort((one, other) => Number(one) - Number(other)),
				Array.from({ length: 20 }, (_, n) => n + 2),
			);
			const range = await a.discoveries('c', { before: 10, after: 5, limit: 3 });
			assert.deepEqual(
				range.map(({ number }) => number),
				[7, 8, 9],
			);
			assert.equal((await b.counts('c'))?.discoveries, 21);
		},
	},
	{
		id: 'erase/author',
		promise: promises.eraseAuthor,
		title: 'what one person wrote is erased everywhere, the archive included, and what others wrote stays',
		needs: [],
		async run({ a, b }) {
			await a.create(sampleHead('c'));
			const say = (by: string, n: number) =>
				a.append('c', [sampleMessage(`${by} says tomato ${n}`, { by, metadata: { by } })], { keep: 4, batch: 2 });
			for (let n = 0; n < 4; n++) for (const by of ['alice', 'bob']) await say(by, n);
			await b.setContext('c', 'hers', '*', { value: 'tomato', at: 1, by: 'alice' });
			await b.setContext('c', 'hers', '*', { value: 'tomato bob', at: 2, by: 'bob' });
			await b.setContext('c', 'his', '*', { value: 'tomato', at: 1, by: 'alice' });
			const evidence = { messages: [2], context: ['hers', 'a "quoted\\\\" [key],'] };
			await a.addDiscovery('c', sampleDiscovery('tomato', { by: 'bob', evidence }));
			await a.addDiscovery('c', sampleDiscovery('tomato', { by: 'alice' }));
			await a.write('c', (await a.read('c'))?.version ?? '', sampleHead('c', { state: 'terminated' }));
			assert.equal(await b.eraseAuthor('c', 'bob'), 4 + 1 + 1);
			const messages = await a.messages('c', ALL);
			assert.deepEqual(
				messages.map(({ number }) => number),
				[1, 2, 3, 4, 5, 6, 7, 8],
			);
			assert.deepEqual(
				messages.filter(({ content }) => content === '[erased]').map(({ number }) => number),
				[2, 4, 6, 8],
			);
			assert.ok(messages.every(({ by }) => by !== 'bob'));
			assert.equal(messages[1]?.metadata, undefined);
			assert.deepEqual(
				(await a.context('c')).map(({ key }) => key),
				['his'],
			);
			assert.deepEqual(
				(await a.discoveries('c', ALL)).map(({ title }) => title),
				['[erased]', 'tomato'],
			);
			assert.deepEqual((await a.discoveries('c', ALL))[0]?.evidence, { messages: [2], context: [] });
			const terms = [{ words: ['tomato'], prefix: false }];
			assert.equal((await b.search({ terms, conversation: 'c', limit: 99 })).length, 4 + 1 + 1);
			assert.equal(await a.eraseAuthor('c', 'bob'), 0);
		},
	},
	{
		id: 'erase/meanwhile',
		promise: promises.nothingAfter,
		title: 'of what somebody adds who is put out and erased at the same time, nothing stays',
		needs: [],
		async run({ a, b }) {
			const by = 'wri"ter';
			for (const title of ['plain', '\u0000 \u001b']) {
				await a.create({ ...withMembers(title), title });
				await a.setContext(title, 'other', '*', { value: 1, at: 1, by: 'alice' });
				const room = { keep: 4, batch: 2 };
				const use = { writer: by, maxBytes: 1_000_000, at: 10, intervalMs: 1 };
				const writing = Array.from({ length: 5 }, (_, n) => [
					(async () => b.appendAs(title, [sampleMessage('mine', { by })], room, use))(),
					(async () => b.setContext(title, `k${n}`, '*', { value: 1, at: 1, by }, 1_000, by))(),
					(async () => b.addDiscovery(title, sampleDiscovery('mine', { by }), by))(),
				]).flat();
				await putOut(a, title, by);
				await a.eraseAuthor(title, by);
				await Promise.all(writing);
				const left = [
					...(await a.messages(title, ALL)),
					...(await a.context(title)),
					...(await a.discoveries(title, ALL)),
				];
				assert.deepEqual(
					left.filter((each) => each.by === by),
					[],
				);
			}
		},
	},
];

const WRITERS = ['alice', 'wri"ter', '\u0000\\u0000'];
const OTHERS = ['reader', 'former', 'stranger', 'Alice', '', '\\u0000\\u0000', '\u0000\u0000'];

/** Returns a head with members of each role, and with texts that look like members and are none. */
function withMembers(id: string): ConversationHead {
	const roles = { reader: 'reader', former: 'former', 'wri"ter': 'writer', '\u0000\\u0000': 'writer' } as const;
	const others = Object.entries(roles).map(([principal, role]) => ({ principal, role, since: 1 }));
	return sampleHead(id, {
		members: [{ principal: 'alice', role: 'owner', since: 1 }, ...others],
		metadata: { members: [{ principal: 'stranger', role: 'writer' }] },
	});
}

async function putOut(store: ConversationStore, id: string, principal: string): Promise<void> {
	for (;;) {
		const stored = await store.read(id);
		assert.ok(stored);
		const members = stored.head.members.map((each) =>
			each.principal === principal ? { ...each, role: 'former' as const } : each,
		);
		if (await store.write(id, stored.version, { ...stored.head, members })) return;
	}
}
