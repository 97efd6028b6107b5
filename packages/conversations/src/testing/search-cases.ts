import assert from 'node:assert/strict';
import type { SearchCandidate, SearchRequest } from '../contract/search-request.js';
import { parseQuery } from '../store/search-text.js';
import { sampleDiscovery, sampleHead, sampleMessage } from './samples.js';
import type { StoreCase } from './store-case.js';
import { storePromises as promises } from './store-promises.js';

/** Search and lists. */
export const searchCases: readonly StoreCase[] = [
	{
		id: 'search/terms',
		promise: promises.search,
		title:
			'words, phrases and beginnings of words are found in messages, context and discoveries, all of them together',
		needs: [],
		async run({ a, b }) {
			await a.create(sampleHead('c'));
			await a.append('c', [
				sampleMessage('The cache has no eviction policy.'),
				sampleMessage('An eviction of the policy cache'),
				sampleMessage([{ type: 'text', text: 'Caching user_analytics objects' }]),
				sampleMessage('缓存没有淘汰策略'),
			]);
			await b.setContext('c', 'cache_analysis', '*', { value: { entries: 45_000, memory: '2.3GB' }, at: 1 });
			await a.addDiscovery('c', sampleDiscovery('Unbounded cache', { description: 'Nothing is evicted.' }));
			const find = async (query: string) => (await b.search(requestOf(query))).map(nameOf).sort();
			assert.deepEqual(await find('cache'), ['context cache_analysis', 'discovery 1', 'message 1', 'message 2']);
			assert.deepEqual(await find('cach*'), [
				'context cache_analysis',
				'discovery 1',
				'message 1',
				'message 2',
				'message 3',
			]);
			assert.deepEqual(await find('cache eviction'), ['message 1', 'message 2']);
			assert.deepEqual(await find('"eviction policy"'), ['message 1']);
			assert.deepEqual(await find('user_analytics'), ['message 3']);
			assert.deepEqual(await find('"user analy"'), []);
			assert.deepEqual(await find('45000'), ['context cache_analysis']);
			assert.deepEqual(await find('evicted'), ['discovery 1']);
			assert.deepEqual(await find('淘汰'), ['message 4']);
			assert.deepEqual(await find('汰淘'), []);
			assert.deepEqual(await find('absent'), []);
			assert.deepEqual(await find(`"' OR 1=1 -- NEAR( NOT AND`), []);
		},
	},
	{
		id: 'search/case',
		promise: promises.searchCase,
		title: 'capitals and accents make no difference, in the text or in the query',
		needs: [],
		async run({ a, b }) {
			await a.create(sampleHead('c'));
			await a.append('c', [sampleMessage('Crème Brûlée'), sampleMessage('creme brulee'), sampleMessage('ÖL und ol')]);
			const numbers = async (query: string) => (await b.search(requestOf(query))).map(({ number }) => number).sort();
			assert.deepEqual(await numbers('CREME'), [1, 2]);
			assert.deepEqual(await numbers('brûlée'), [1, 2]);
			assert.deepEqual(await numbers('öl'), [3]);
		},
	},
	{
		id: 'search/best-first',
		promise: promises.searchOrder,
		title: 'a text in which the words occur more often comes first, and a limit keeps the best',
		needs: [],
		async run({ a, b }) {
			await a.create(sampleHead('c'));
			const filler = (count: number) => Array.from({ length: count }, (_, n) => `word${n}`).join(' ');
			await a.append('c', [
				sampleMessage(`leak ${filler(120)}`),
				sampleMessage(`leak leak leak ${filler(10)}`),
				sampleMessage(`leak ${filler(12)}`),
			]);
			const found = await b.search(requestOf('leak'));
			assert.deepEqual(
				found.map(({ number }) => number),
				[2, 3, 1],
			);
			assert.ok(found.every(({ score }, index) => score > 0 && score <= (found[index - 1]?.score ?? score)));
			assert.deepEqual(
				(await a.search({ ...requestOf('leak'), limit: 1 })).map(({ number }) => number),
				[2],
			);
		},
	},
	{
		id: 'search/archive',
		promise: promises.searchArchive,
		title: 'what moved to the archive is found, and marked',
		needs: [],
		async run({ a, b }) {
			await a.create(sampleHead('c'));
			for (let n = 1; n <= 8; n++) await a.append('c', [sampleMessage(`needle ${n}`)], { keep: 4, batch: 2 });
			for (const at of [1, 2, 3]) await a.setContext('c', `k${at}`, '*', { value: `needle ${at}`, at }, 24);
			const found = await b.search({ ...requestOf('needle'), limit: 99 });
			const archived = found
				.filter((each) => each.archived)
				.map(nameOf)
				.sort();
			assert.deepEqual(archived, ['context k1', 'message 1', 'message 2', 'message 3', 'message 4']);
			assert.equal(found.length, 8 + 3);
		},
	},
	{
		id: 'search/where',
		promise: promises.searchWhere,
		title: 'a search looks only into the conversations of the person, or into one, and only at what was asked for',
		needs: [],
		async run({ a, b }) {
			const member = (role: 'reader' | 'former') => [
				{ principal: 'bob', role: 'owner' as const, since: 1 },
				{ principal: 'alice', role, since: 1 },
			];
			await a.create(sampleHead('own'));
			await a.create(sampleHead('shared', { owner: 'bob', members: member('reader') }));
			await a.create(sampleHead('left', { owner: 'bob', members: member('former') }));
			await a.create(sampleHead('strange', { owner: 'bob' }));
			for (const id of ['own', 'shared', 'left', 'strange']) {
				await a.append(id, [sampleMessage('needle')]);
				await a.addDiscovery(id, sampleDiscovery('needle'));
			}
			const ids = async (request: Partial<SearchRequest>) =>
				[
					...new Set(
						(await b.search({ ...requestOf('needle'), conversation: undefined, ...request })).map(
							(hit) => hit.conversation,
						),
					),
				].sort();
			assert.deepEqual(await ids({ principal: 'alice' }), ['own', 'shared']);
			assert.deepEqual(await ids({ principal: 'alice', conversation: 'own' }), ['own']);
			assert.deepEqual(await ids({ principal: 'alice', conversation: 'strange' }), []);
			assert.deepEqual(await ids({ principal: 'nobody' }), []);
			const kinds = await b.search({ ...requestOf('needle'), conversation: 'own', kinds: ['discovery'] });
			assert.deepEqual(kinds.map(nameOf), ['discovery 1']);
		},
	},
	{
		id: 'search/long',
		promise: promises.searchLong,
		title: 'the end of a long text is found, and so are a word of thousands of letters and one of very many words',
		needs: [],
		async run({ a, b }) {
			await a.create(sampleHead('c'));
			const word = 'x'.repeat(5_000);
			await a.append('c', [
				sampleMessage(`${'so it goes '.repeat(9_000)}the last needle`),
				sampleMessage(`before ${word} after`),
				sampleMessage(`before ${word}y after`),
				sampleMessage(`${Array.from({ length: 9_500 }, (_, n) => `${'w'.repeat(95)}${n}`).join(' ')} last needle`),
			]);
			const numbers = async (query: string) => (await b.search(requestOf(query))).map(({ number }) => number).sort();
			assert.deepEqual(await numbers('"last needle"'), [1, 4]);
			assert.deepEqual(await numbers('"needle last"'), []);
			assert.deepEqual(await numbers('needle goes'), [1]);
			assert.deepEqual(await numbers(`${'w'.repeat(95)}9499`), [4]);
			assert.deepEqual(await numbers(word), [2]);
			assert.deepEqual(await numbers(`${word}*`), [2, 3]);
		},
	},
	{
		id: 'search/own',
		promise: promises.searchOwn,
		title: 'of a word that thousands of texts of others have, and better, all of the few own texts are found',
		needs: [],
		async run({ a, b }) {
			for (const id of ['one', 'two', 'three']) {
				await a.create(sampleHead(id));
				await a.append(id, [sampleMessage('an own needle'), sampleMessage('nothing')]);
			}
			await a.create(sampleHead('theirs', { owner: 'bob' }));
			for (let n = 0; n < 6; n++) {
				await a.append(
					'theirs',
					Array.from({ length: 1_000 }, () => sampleMessage('needle')),
				);
			}
			const request = { ...requestOf('needle'), conversation: undefined };
			const own = (await b.search({ ...request, principal: 'alice' })).map(({ conversation }) => conversation);
			assert.deepEqual(own.sort(), ['one', 'three', 'two']);
			assert.equal((await b.search({ ...request, principal: 'bob', limit: 20 })).length, 20);
			assert.equal((await b.search({ ...requestOf('needle'), conversation: 'two' })).length, 1);
		},
	},
	{
		id: 'search/current',
		promise: promises.searchCurrent,
		title: 'a value is found by what it is now, and not by what it was or once it is removed',
		needs: [],
		async run({ a, b }) {
			await a.create(sampleHead('c'));
			await a.setContext('c', 'k', '*', { value: 'before', at: 1 });
			await b.setContext('c', 'k', '*', { value: 'after', at: 2 });
			assert.equal((await a.search(requestOf('before'))).length, 0);
			assert.equal((await a.search(requestOf('after'))).length, 1);
			await a.setContext('c', 'k', '*', undefined);
			assert.equal((await b.search(requestOf('after'))).length, 0);
		},
	},
	{
		id: 'list/filter',
		promise: promises.listFilter,
		title: 'a list has the conversations that match every condition',
		needs: [],
		async run({ a, b }) {
			await a.create(sampleHead('one', { lastUsedAt: 10 }));
			await a.create(sampleHead('two', { state: 'suspended', lastUsedAt: 20 }));
			await a.create(sampleHead('three', { state: 'terminated', lastUsedAt: 30 }));
			await a.create(
				sampleHead('four', {
					owner: 'bob',
					lastUsedAt: 40,
					members: [
						{ principal: 'bob', role: 'owner', since: 1 },
						{ principal: 'alice', role: 'former', since: 1 },
					],
				}),
			);
			const ids = async (filter: Parameters<typeof b.list>[0]) =>
				(await b.list(filter, undefined, 99)).conversations.map(({ head }) => head.id).sort();
			assert.deepEqual(await ids({}), ['four', 'one', 'three', 'two']);
			assert.deepEqual(await ids({ principal: 'alice' }), ['four', 'one', 'three', 'two']);
			assert.deepEqual(await ids({ principal: 'bob' }), ['four']);
			assert.deepEqual(await ids({ principal: 'ali' }), []);
			assert.deepEqual(await ids({ states: ['active', 'suspended'] }), ['four', 'one', 'two']);
			assert.deepEqual(await ids({ unusedSince: 20 }), ['one']);
			assert.deepEqual(await ids({ principal: 'bob', states: ['active'] }), ['four']);
			assert.deepEqual(await ids({ principal: 'alice', states: ['active'], unusedSince: 40 }), ['one']);
		},
	},
	{
		id: 'search/corrupt',
		promise: promises.searchCorrupt,
		title: 'what is whole is found beside what is damaged, which is said',
		needs: ['corruption'],
		async run({ a, b, backend }) {
			for (const id of ['bad', 'good']) {
				await a.create(sampleHead(id));
				await a.append(id, [sampleMessage('needle')]);
			}
			await backend.damage('bad', 'messages');
			const errors: unknown[] = [];
			b.onerror = (error) => errors.push(error);
			const terms = parseQuery('needle');
			const found = await b.search({ terms, principal: 'alice', limit: 10 });
			assert.deepEqual(
				found.map(({ conversation }) => conversation),
				['good'],
			);
			assert.equal(errors.length, 1);
		},
	},
	{
		id: 'list/pages',
		promise: promises.listPages,
		title: 'pages show every conversation that stays exactly once, also while others come and go',
		needs: [],
		async run({ a, b }) {
			for (let n = 0; n < 25; n++) await a.create(sampleHead(`c${n}`, { owner: n % 5 === 0 ? 'bob' : 'alice' }));
			const seen: string[] = [];
			let cursor: string | undefined;
			let pages = 0;
			do {
				const page = await b.list({ principal: 'alice' }, cursor, 6);
				assert.ok(page.conversations.length <= 12);
				seen.push(...page.conversations.map(({ head }) => head.id));
				cursor = page.cursor;
				if (pages++ === 0) {
					for (const id of ['c0', 'c5', 'c10', 'c15', 'c20']) await a.delete(id);
					await a.create(sampleHead('c99', { owner: 'bob' }));
					await a.touch('c1', 99);
				}
			} while (cursor !== undefined && pages < 20);
			const wanted = Array.from({ length: 25 }, (_, n) => n)
				.filter((n) => n % 5 !== 0)
				.map((n) => `c${n}`);
			assert.deepEqual(seen.sort(), wanted.sort());
		},
	},
];

function requestOf(query: string): SearchRequest {
	return { terms: parseQuery(query), conversation: 'c', limit: 50 };
}

function nameOf({ kind, number, key }: SearchCandidate): string {
	return `${kind} ${number ?? key}`;
}
