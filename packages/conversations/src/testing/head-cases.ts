import assert from 'node:assert/strict';
import type { MaybePromise } from '@holdfast/session-manager';
import type { ConversationStore } from '../contract/conversation-store.js';
import { ALL, codeOf, LOOK_ALIKES, sampleDiscovery, sampleHead, sampleMessage } from './samples.js';
import type { StoreCase } from './store-case.js';
import { storePromises as promises } from './store-promises.js';

/** Heads: created once, read anywhere, changed by compare-and-set, deleted whole. */
export const headCases: readonly StoreCase[] = [
	{
		id: 'head/as-written',
		promise: promises.read,
		title: 'a head is read as it was written, on every node',
		needs: [],
		async run({ a, b }) {
			const head = sampleHead('c', {
				metadata: { nested: [1, 'two', null, { three: true }], text: 'ü "quoted" \n 😀' },
				members: [
					{ principal: 'alice', role: 'owner', since: 1, visit: { at: 5, message: 3, discovery: 2 } },
					{ principal: 'bob', role: 'reader', since: 2, link: 'l1' },
				],
				links: [{ id: 'l1', role: 'reader', createdAt: 2, expiresAt: 9 }],
				suspendedAt: 7,
				state: 'suspended',
			});
			assert.equal(await a.create(head), true);
			for (const store of [a, b]) assert.deepEqual(plain((await store.read('c'))?.head), plain(head));
		},
	},
	{
		id: 'head/unknown',
		promise: promises.unknown,
		title: 'nothing can be read of a conversation that is unknown, and nothing is written',
		needs: [],
		async run({ a }) {
			assert.equal(await a.read('c'), undefined);
			assert.equal(await a.counts('c'), undefined);
			assert.deepEqual([...(await a.messages('c', ALL))], []);
			assert.deepEqual([...(await a.context('c'))], []);
			assert.deepEqual([...(await a.discoveries('c', ALL))], []);
			assert.equal(await a.write('c', '1', sampleHead('c')), false);
			assert.equal(await a.touch('c', 9), false);
			assert.equal(await a.delete('c'), false);
			assert.equal(await a.append('c', [sampleMessage('hi')]), undefined);
			assert.equal(await a.setContext('c', 'k', '*', { value: 1, at: 1 }), false);
			assert.equal(await a.touchContext('c', ['k'], 9), false);
			assert.equal(await a.addDiscovery('c', sampleDiscovery('d')), undefined);
			assert.equal(await a.eraseAuthor('c', 'alice'), 0);
			assert.equal(await a.read('c'), undefined);
			assert.equal((await a.list({}, undefined, 10)).conversations.length, 0);
		},
	},
	{
		id: 'head/taken',
		promise: promises.taken,
		title: 'of 10 who create the same conversation at once, one does, and its head stays',
		needs: [],
		async run({ a, b }) {
			const results = await Promise.all(
				Array.from({ length: 10 }, async (_, n) => (n % 2 ? a : b).create(sampleHead('c', { title: `by ${n}` }))),
			);
			assert.equal(results.filter(Boolean).length, 1);
			const title = (await a.read('c'))?.head.title;
			assert.equal(title, `by ${results.indexOf(true)}`);
			assert.equal(await b.create(sampleHead('c', { title: 'later' })), false);
			assert.equal((await b.read('c'))?.head.title, title);
		},
	},
	{
		id: 'head/compare-and-set',
		promise: promises.write,
		title: 'of 20 changes from the same version one is made, and none is lost when all are tried again',
		needs: [],
		async run({ a, b }) {
			await a.create(sampleHead('c'));
			const version = (await a.read('c'))?.version ?? '';
			const once = await Promise.all(
				Array.from({ length: 20 }, async (_, n) =>
					(n % 2 ? a : b).write('c', version, sampleHead('c', { title: `${n}` })),
				),
			);
			assert.equal(once.filter(Boolean).length, 1);
			assert.equal((await b.read('c'))?.head.title, String(once.indexOf(true)));
			await Promise.all(Array.from({ length: 10 }, (_, n) => addTag(n % 2 ? a : b, `${n}`)));
			assert.equal(Object.keys((await a.read('c'))?.head.metadata ?? {}).length, 10);
		},
	},
	{
		id: 'head/version-never-repeats',
		promise: promises.version,
		title: 'a version of long ago does not match when the head is again what it was',
		needs: [],
		async run({ a, b }) {
			await a.create(sampleHead('c'));
			const first = (await a.read('c'))?.version ?? '';
			for (const title of ['other', 'About c']) {
				assert.equal(await b.write('c', (await b.read('c'))?.version ?? '', sampleHead('c', { title })), true);
			}
			assert.equal(await a.write('c', first, sampleHead('c', { title: 'stale' })), false);
		},
	},
	{
		id: 'head/revision',
		promise: promises.revision,
		title: 'the revision changes with the head, a message, a value and a discovery, and with nothing else',
		needs: [],
		async run({ a, b }) {
			await a.create(sampleHead('c'));
			const seen = new Set<string>();
			const look = async () => {
				const revision = (await b.read('c'))?.revision ?? '';
				assert.equal((await a.read('c'))?.revision, revision);
				assert.equal(seen.has(revision), false, 'the revision did not change');
				seen.add(revision);
			};
			await look();
			await a.append('c', [sampleMessage('hi')]);
			await look();
			await b.setContext('c', 'k', '*', { value: 1, at: 1 });
			await look();
			await a.addDiscovery('c', sampleDiscovery('d'));
			await look();
			await b.write('c', (await b.read('c'))?.version ?? '', sampleHead('c', { title: 'new' }));
			await look();
		},
	},
	{
		id: 'head/created-again',
		promise: promises.createdAgain,
		title: 'nothing that was read of a deleted conversation matches the next of the same id, written as often',
		needs: [],
		async run({ a, b }) {
			const seen = new Set<string>();
			let [staleHead, staleValue] = ['', ''];
			for (const title of ['one', 'two', 'three']) {
				await a.create(sampleHead('c', { title }));
				const marks = new Set<string>();
				const look = async () => {
					const { version = '', revision = '' } = (await b.read('c')) ?? {};
					marks.add(`version ${version}`).add(`revision ${revision}`);
					return version;
				};
				const version = await look();
				assert.equal(await b.write('c', staleHead, sampleHead('c', { title: 'stale' })), false);
				await a.setContext('c', 'k', undefined, { value: title, at: 1 });
				await look();
				assert.equal(await b.setContext('c', 'k', staleValue, { value: 'stale', at: 1 }), false);
				const [entry] = await b.context('c', ['k']);
				assert.equal(entry?.value, title);
				marks.add(`value ${entry?.version}`);
				[staleHead, staleValue] = [version, entry?.version ?? ''];
				assert.equal(await a.write('c', version, sampleHead('c', { title })), true);
				await look();
				for (const mark of marks) {
					assert.equal(seen.has(mark), false, `${mark} is one of a deleted conversation`);
					seen.add(mark);
				}
				assert.equal(await b.delete('c'), true);
			}
		},
	},
	{
		id: 'head/touch',
		promise: promises.touch,
		title: 'the newest use counts, also when a head is written that was read before it',
		needs: [],
		async run({ a, b }) {
			await a.create(sampleHead('c'));
			const { version = '', head = sampleHead('c') } = (await a.read('c')) ?? {};
			assert.equal(await b.touch('c', 50), true);
			assert.equal(await a.touch('c', 20), true);
			assert.equal((await a.read('c'))?.head.lastUsedAt, 50);
			assert.equal(await a.write('c', version, { ...head, title: 'new' }), true);
			assert.equal((await b.read('c'))?.head.lastUsedAt, 50);
		},
	},
	{
		id: 'head/deleted',
		promise: promises.delete,
		title: 'nothing of a deleted conversation is in one that is created with its id',
		needs: [],
		async run({ a, b }) {
			await a.create(sampleHead('c'));
			await a.append('c', [sampleMessage('secret')]);
			await b.setContext('c', 'k', '*', { value: 'secret', at: 1 });
			await a.addDiscovery('c', sampleDiscovery('secret'));
			assert.equal(await b.delete('c'), true);
			assert.equal(await a.delete('c'), false);
			assert.equal(await a.read('c'), undefined);
			assert.equal(await a.append('c', [sampleMessage('late')]), undefined);
			assert.equal(await a.create(sampleHead('c')), true);
			assert.deepEqual([...(await b.messages('c', ALL))], []);
			assert.deepEqual([...(await b.context('c'))], []);
			assert.deepEqual([...(await b.discoveries('c', ALL))], []);
			const terms = [{ words: ['secret'], prefix: false }];
			assert.deepEqual([...(await a.search({ terms, principal: 'alice', limit: 10 }))], []);
			assert.equal(await b.append('c', [sampleMessage('new')]), 1);
		},
	},
	{
		id: 'head/write-unused',
		promise: promises.writeUnused,
		title: 'a head is written for want of use, and never when somebody used the conversation at the same time',
		needs: [],
		async run({ a, b }) {
			assert.equal(await a.writeUnused('c', '1', sampleHead('c'), 99), false);
			await a.create(sampleHead('c'));
			await b.touch('c', 50);
			const version = (await a.read('c'))?.version ?? '';
			const ended = sampleHead('c', { state: 'terminated' });
			assert.equal(await a.writeUnused('c', version, ended, 50), false);
			assert.equal(await a.writeUnused('c', `${version}0`, ended, 51), false);
			assert.equal((await b.read('c'))?.head.state, 'active');
			assert.equal(await a.writeUnused('c', version, ended, 51), true);
			assert.equal((await b.read('c'))?.head.state, 'terminated');
			await raceWithUse(a, b, async (id) => {
				const { version = '' } = (await a.read(id)) ?? {};
				return () => a.writeUnused(id, version, sampleHead(id, { state: 'terminated' }), 50);
			});
		},
	},
	{
		id: 'head/delete-unused',
		promise: promises.deleteUnused,
		title: 'a conversation is deleted for want of use, and never when somebody used it at the same time',
		needs: [],
		async run({ a, b }) {
			assert.equal(await a.deleteUnused('c', 99), false);
			await a.create(sampleHead('c'));
			await b.touch('c', 50);
			assert.equal(await a.deleteUnused('c', 50), false);
			assert.equal((await b.read('c'))?.head.lastUsedAt, 50);
			assert.equal(await a.deleteUnused('c', 51), true);
			assert.equal(await b.read('c'), undefined);
			await raceWithUse(a, b, async (id) => () => a.deleteUnused(id, 50));
		},
	},
	{
		id: 'head/ended',
		promise: promises.ended,
		title: 'a conversation that has ended can be read and deleted, and nothing is added to it',
		needs: [],
		async run({ a, b }) {
			await a.create(sampleHead('c'));
			await a.append('c', [sampleMessage('hi')]);
			await a.setContext('c', 'k', '*', { value: 1, at: 1 });
			await a.write('c', (await a.read('c'))?.version ?? '', sampleHead('c', { state: 'terminated' }));
			assert.equal(await b.append('c', [sampleMessage('late')]), undefined);
			assert.equal(await b.setContext('c', 'k', '*', { value: 2, at: 1 }), false);
			assert.equal(await b.touchContext('c', ['k'], 9), false);
			assert.equal(await b.addDiscovery('c', sampleDiscovery('late')), undefined);
			assert.equal(await b.touch('c', 99), false);
			assert.equal((await b.messages('c', ALL)).length, 1);
			assert.equal((await b.context('c'))[0]?.value, 1);
			assert.equal(await a.delete('c'), true);
		},
	},
	{
		id: 'head/exact',
		promise: promises.exact,
		title: 'ids, keys and principals that look alike are different ones',
		needs: [],
		async run({ a, b }) {
			for (const id of LOOK_ALIKES) {
				assert.equal(await a.create(sampleHead(id, { owner: id, title: 'alike' })), true, JSON.stringify(id));
				assert.equal(await a.append(id, [sampleMessage(id)]), 1, JSON.stringify(id));
			}
			await a.create(sampleHead('keys'));
			for (const key of LOOK_ALIKES) await b.setContext('keys', key, undefined, { value: key, at: 1 });
			assert.equal((await a.context('keys')).length, LOOK_ALIKES.length);
			for (const text of LOOK_ALIKES) {
				assert.equal((await b.read(text))?.head.id, text);
				assert.deepEqual(
					(await b.messages(text, ALL)).map(({ content }) => content),
					[text],
				);
				assert.deepEqual(
					(await a.context('keys', [text])).map(({ value }) => value),
					[text],
				);
				const { conversations } = await b.list({ principal: text }, undefined, 100);
				assert.deepEqual(
					conversations.map(({ head }) => head.id),
					[text],
				);
			}
			for (const id of LOOK_ALIKES) assert.equal(await b.delete(id), true, JSON.stringify(id));
		},
	},
	{
		id: 'head/limit-per-owner',
		promise: promises.createLimit,
		title: 'of 12 conversations of one owner created at once, as many are as the owner may have',
		needs: [],
		async run({ a, b }) {
			const results = await Promise.all(
				Array.from({ length: 12 }, (_, n) =>
					codeOf(() => (n % 2 ? a : b).create(sampleHead(`c${n}`), { perOwner: 4 })),
				),
			);
			assert.equal(results.filter((result) => result === true).length, 4);
			assert.equal(results.filter((result) => result === 'limit').length, 8);
			assert.equal((await a.list({}, undefined, 100)).conversations.length, 4);
			assert.equal(await a.create(sampleHead('other', { owner: 'bob' }), { perOwner: 4 }), true);
			const id = (await a.list({ principal: 'alice' }, undefined, 1)).conversations[0]?.head.id ?? '';
			await a.write(id, (await a.read(id))?.version ?? '', sampleHead(id, { state: 'suspended' }));
			assert.equal(await b.create(sampleHead('again'), { perOwner: 4 }), true);
		},
	},
	{
		id: 'head/limit-kept',
		promise: promises.keptLimit,
		title: 'suspended and ended conversations count among those that an owner has, until they are deleted',
		needs: [],
		async run({ a, b }) {
			const most = { keptPerOwner: 4 };
			const states = ['active', 'suspended', 'terminated'] as const;
			const results = await Promise.all(
				Array.from({ length: 12 }, (_, n) => {
					const state = states[n % 3] ?? 'active';
					return codeOf(() => (n % 2 ? a : b).create(sampleHead(`c${n}`, { state }), most));
				}),
			);
			assert.equal(results.filter((result) => result === true).length, 4);
			assert.equal(results.filter((result) => result === 'limit').length, 8);
			assert.equal(await a.create(sampleHead('other', { owner: 'bob' }), most), true);
			const [id = ''] = results.flatMap((result, n) => (result === true ? [`c${n}`] : []));
			const { version = '' } = (await a.read(id)) ?? {};
			await a.write(id, version, sampleHead(id, { state: 'terminated' }));
			assert.equal(await codeOf(() => b.create(sampleHead('again'), most)), 'limit');
			assert.equal(await codeOf(() => b.create(sampleHead(id), most)), false);
			await a.delete(id);
			assert.equal(await b.create(sampleHead('again'), most), true);
		},
	},
	{
		id: 'head/limit-total',
		promise: promises.createLimit,
		title: 'a full store takes no more until a conversation ends or is deleted; a taken id is taken all the same',
		needs: [],
		async run({ a, b }) {
			for (const id of ['one', 'two']) await a.create(sampleHead(id, { owner: id }), { total: 2 });
			assert.equal(await codeOf(() => b.create(sampleHead('three'), { total: 2 })), 'limit');
			assert.equal(await a.read('three'), undefined);
			assert.equal(await codeOf(() => b.create(sampleHead('one'), { total: 2 })), false);
			await a.write('one', (await a.read('one'))?.version ?? '', sampleHead('one', { state: 'terminated' }));
			assert.equal(await b.create(sampleHead('three'), { total: 2 }), true);
			await a.delete('two');
			assert.equal(await b.create(sampleHead('four'), { total: 2 }), true);
		},
	},
	{
		id: 'head/limit-resumed',
		promise: promises.writeLimit,
		title: 'of suspended conversations that become active at once, as many do as their owner may have',
		needs: [],
		async run({ a, b }) {
			for (let n = 0; n < 6; n++) await a.create(sampleHead(`c${n}`, { state: 'suspended' }), { perOwner: 2 });
			const versions = await Promise.all(
				Array.from({ length: 6 }, async (_, n) => (await a.read(`c${n}`))?.version ?? ''),
			);
			const results = await Promise.all(
				versions.map((version, n) =>
					codeOf(() => (n % 2 ? a : b).write(`c${n}`, version, sampleHead(`c${n}`), { perOwner: 2 })),
				),
			);
			assert.equal(results.filter((result) => result === true).length, 2);
			assert.equal(results.filter((result) => result === 'limit').length, 4);
			const active = await b.list({ states: ['active'] }, undefined, 10);
			assert.equal(active.conversations.length, 2);
			const head = active.conversations[0];
			assert.equal(
				await a.write(head?.head.id ?? '', head?.version ?? '', sampleHead(head?.head.id ?? ''), { perOwner: 2 }),
				true,
			);
		},
	},
];

async function addTag(store: ConversationStore, tag: string): Promise<void> {
	for (let attempt = 0; attempt < 500; attempt++) {
		const stored = await store.read('c');
		const metadata = { ...stored?.head.metadata, [tag]: true };
		if (await store.write('c', stored?.version ?? '', sampleHead('c', { metadata }))) return;
	}
	assert.fail('the head could never be written');
}

/** Of a use and what is done for want of it, one comes first, and then there is not the other. */
async function raceWithUse(
	a: ConversationStore,
	b: ConversationStore,
	prepare: (id: string) => Promise<() => MaybePromise<boolean>>,
): Promise<void> {
	for (let n = 0; n < 10; n++) {
		const id = `used ${n}`;
		await a.create(sampleHead(id));
		const work = await prepare(id);
		const use = async () => b.touch(id, 60);
		const clear = async () => work();
		const [one, other] = await Promise.all(n % 2 ? [use(), clear()] : [clear(), use()]);
		assert.notEqual(one, other);
	}
}

/** Without members that are `undefined`, which stores may keep or not. */
function plain(value: unknown): unknown {
	return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}
