import assert from 'node:assert/strict';
import { ManualClock } from '@holdfast/session-manager/testing';
import type { ConversationStore } from '../contract/conversation-store.js';
import { Conversations, type ConversationsOptions } from '../conversation/conversations.js';
import { markdownOf } from '../reading/export.js';
import { codeOf } from './samples.js';
import type { StoreCase } from './store-case.js';
import { storePromises as promises } from './store-promises.js';

const OLD = { id: 'old', secret: 'an old secret of at least thirty-two bytes' };
const NEW = { id: 'new', secret: 'a new secret of at least thirty-two bytes' };

/** What people do with conversations on two nodes, where a store that breaks a promise would harm them most. */
export const useCases: readonly StoreCase[] = [
	{
		id: 'use/archive',
		promise: promises.searchArchive,
		title: 'what a limit moved to the archive is read and found on another node, however long ago it was',
		needs: [],
		async run({ a, b }) {
			const clock = new ManualClock();
			const limits = { maxHistory: 10, archiveBatch: 4, maxContextBytes: 1_000, clock };
			const written = await conversationsOf(a, limits).of('alice').create({ id: 'c', title: 'Long' });
			for (let n = 1; n <= 25; n++) await written.addMessage({ role: 'user', content: `message needle${n}` });
			for (let n = 0; n < 12; n++) {
				clock.advance(1);
				await written.setContext(`k${n}`, `value${n}${'x'.repeat(89)}`);
			}
			const read = await conversationsOf(b, limits).of('alice').open('c');
			const { archivedMessages, archivedContext } = await read.counts();
			assert.equal(archivedMessages, 16);
			assert.ok(archivedContext >= 2);
			for (const n of [1, 16, 17, 25]) {
				const hits = await read.search(`needle${n}`);
				assert.deepEqual(
					hits.map(({ number, archived }) => ({ number, archived })),
					[{ number: n, archived: n <= 16 }],
				);
			}
			assert.deepEqual(
				(await read.history({ before: 3 })).map(({ content }) => content),
				['message needle1', 'message needle2'],
			);
			assert.equal((await read.getContext('k0'))?.archived, true);
			assert.deepEqual(
				(await read.search('value0*')).map(({ key, archived }) => ({ key, archived })),
				[{ key: 'k0', archived: true }],
			);
		},
	},
	{
		id: 'use/stranger',
		promise: promises.read,
		title: 'to whom an owner let in and out again, a conversation is at once one that never was, by every verb',
		needs: [],
		async run({ a, b }) {
			const shareKeys = [NEW];
			const owned = await conversationsOf(a, { shareKeys }).of('alice').create({ id: 'c', title: 'Secret' });
			await owned.addMessage({ role: 'user', content: 'needle' });
			await owned.setContext('k', 'needle');
			await owned.addDiscovery({ title: 'needle' });
			const bob = conversationsOf(b, { shareKeys }).of('bob');
			assert.equal(await codeOf(() => bob.open('c')), 'not-found');
			await owned.setMember('bob', 'writer');
			const his = await bob.open('c');
			assert.equal((await bob.search('needle')).length, 3);
			await owned.setMember('bob', undefined);
			const verbs: Readonly<Record<string, () => unknown>> = {
				open: () => bob.open('c'),
				head: () => his.head(),
				counts: () => his.counts(),
				resume: () => his.resume(),
				summary: () => his.summary(),
				history: () => his.history(),
				context: () => his.context(),
				getContext: () => his.getContext('k'),
				discoveries: () => his.discoveries(),
				search: () => his.search('needle'),
				export: () => his.export(),
				addMessage: () => his.addMessage({ role: 'user', content: 'x' }),
				addMessages: () => his.addMessages([{ role: 'user', content: 'x' }]),
				setContext: () => his.setContext('k', 1),
				removeContext: () => his.removeContext('k'),
				addDiscovery: () => his.addDiscovery({ title: 'x' }),
				update: () => his.update({ title: 'x' }),
				suspend: () => his.suspend(),
				end: () => his.end(),
				erase: () => his.erase(),
				share: () => his.share('reader'),
				revoke: () => his.revoke('x'),
				setMember: () => his.setMember('bob', 'writer'),
				leave: () => his.leave(),
			};
			for (const [verb, use] of Object.entries(verbs)) assert.equal(await codeOf(use), 'not-found', verb);
			assert.deepEqual(await bob.list(), []);
			assert.deepEqual(await bob.search('needle'), []);
			assert.equal((await owned.history()).length, 1);
			assert.equal((await owned.head()).state, 'active');
		},
	},
	{
		id: 'use/share-links',
		promise: promises.write,
		title: 'a share link of one node lets in on another, until it expires, is revoked, or its key is dropped',
		needs: [],
		async run({ a, b }) {
			const clock = new ManualClock();
			const owned = await conversationsOf(a, { shareKeys: [OLD], clock })
				.of('alice')
				.create({ id: 'c', title: 'Shared' });
			const there = conversationsOf(b, { shareKeys: [NEW, OLD], clock });
			const link = await owned.share('writer', 1_000);
			const changed = `${link.token.slice(0, -1)}${link.token.endsWith('A') ? 'Q' : 'A'}`;
			for (const token of [changed, `${link.token}x`, 'share.old..', '']) {
				assert.equal(await codeOf(() => there.of('bob').join(token)), 'invalid-link');
			}
			const his = await there.of('bob').join(link.token);
			assert.equal(await his.addMessage({ role: 'user', content: 'hi' }), 1);
			const dropped = conversationsOf(b, { shareKeys: [NEW], clock });
			assert.equal(await codeOf(() => dropped.of('carol').join(link.token)), 'invalid-link');
			await (await there.of('alice').open('c')).revoke(link.id);
			assert.equal(await codeOf(() => his.history()), 'not-found');
			assert.equal(await codeOf(() => there.of('carol').join(link.token)), 'invalid-link');
			const other = await owned.share('reader', 1_000);
			clock.advance(999);
			assert.equal((await (await there.of('carol').join(other.token)).history()).length, 1);
			clock.advance(1);
			assert.equal(await codeOf(() => there.of('dave').join(other.token)), 'invalid-link');
		},
	},
	{
		id: 'use/readable',
		promise: promises.readable,
		title: 'what is strange is refused, and what was there before is read on another node; so it is after erasures',
		needs: [],
		async run({ a, b }) {
			const written = await conversationsOf(a).of('alice').create({ id: 'c', title: 'Strange' });
			await written.setMember('bob', 'reader');
			await written.addMessage({ role: 'user', content: 'precious' });
			const look = async (what: string) => {
				const reader = conversationsOf(b).of('alice').at('c');
				const { title } = await reader.resume();
				const { messages, context, discoveries } = await reader.export();
				assert.equal(title, 'Strange', what);
				return [messages.length, context.length, discoveries.length];
			};
			assert.equal(await a.eraseAuthor('c', 'bob'), 0);
			assert.deepEqual(await look('one erased who wrote nothing, where there is no value'), [1, 0, 0]);
			await written.setContext('k', 'precious');
			await written.addDiscovery({ title: 'precious' });
			const strange: Readonly<Record<string, unknown>> = {
				null: null,
				list: ['a'],
				text: 'a',
				number: 0.5,
				date: new Date(0),
				infinity: [Number.POSITIVE_INFINITY],
				nothing: [undefined],
				texts: ['1'],
			};
			const said = { role: 'user', content: 'strange' } as const;
			for (const [what, value] of Object.entries(strange)) {
				const given = value as never;
				const refused = {
					metadata: () => written.addMessage({ ...said, metadata: given }),
					role: () => written.addMessage({ ...said, role: given }),
					blocks: () => written.addMessage({ ...said, content: [given] }),
					kind: () => written.addDiscovery({ title: 'strange', kind: given }),
					messages: () => written.addDiscovery({ title: 'strange', messages: given }),
					keys: () => written.addDiscovery({ title: 'strange', context: [given] }),
					resolves: () => written.addDiscovery({ title: 'strange', resolves: [given] }),
					head: () => written.update({ metadata: given }),
					member: () => written.setMember('bob', given),
				};
				for (const [which, write] of Object.entries(refused)) {
					// A key is a text, and JSON has a date as one.
					if (which === 'keys' && (what === 'text' || what === 'date')) continue;
					assert.equal(await codeOf(write), 'invalid', `${which}: ${what}`);
					assert.deepEqual(await look(`${which}: ${what}`), [1, 1, 1]);
				}
				await written.setContext('k', given);
				assert.deepEqual(await look(`a value: ${what}`), [1, 1, 1]);
			}
			assert.equal(await b.eraseAuthor('c', 'alice'), 3);
			assert.deepEqual(await look('all erased'), [1, 0, 1]);
		},
	},
	{
		id: 'use/person',
		promise: promises.eraseAuthor,
		title: 'a person is listed, exported and erased in one call, sessions included, also where they are out again',
		needs: [],
		async run({ a, b }) {
			const sessions = new Map([
				['alice', 1],
				['bob', 3],
			]);
			const options = {
				maxHistory: 2,
				archiveBatch: 1,
				sessions: {
					export: async (principal: string) => ({ sessions: Array(sessions.get(principal) ?? 0).fill(principal) }),
					async erase(principal: string) {
						const count = sessions.get(principal) ?? 0;
						sessions.delete(principal);
						return count;
					},
				},
			};
			const [here, there] = [conversationsOf(a, options), conversationsOf(b, options)];
			const hers = await here.of('alice').create({ id: 'hers', title: 'Hers' });
			await hers.setMember('bob', 'writer');
			const shared = await there.of('bob').open('hers');
			await shared.addMessage({ role: 'user', content: 'needle' });
			await shared.setContext('k', 'needle');
			await shared.addDiscovery({ title: 'needle' });
			for (let n = 0; n < 3; n++) await hers.addMessage({ role: 'user', content: 'by alice' });
			await hers.setMember('bob', undefined);
			const his = await there.of('bob').create({ id: 'his', title: 'His' });
			await his.addMessage({ role: 'user', content: 'mine' });

			assert.deepEqual(
				(await here.of('bob').list()).map(({ id }) => id),
				['his'],
			);
			const { conversations, ...exported } = JSON.parse(JSON.stringify(await here.persons.export('bob')));
			assert.deepEqual(exported.sessions, ['bob', 'bob', 'bob']);
			const texts = conversations.map(({ id, messages }: { id: string; messages: { content: string }[] }) => [
				id,
				...messages.map(({ content }) => content),
			]);
			assert.deepEqual(texts.sort(), [
				['hers', 'needle'],
				['his', 'mine'],
			]);
			assert.match(markdownOf(await his.export()), /^# His\n[\s\S]*mine/);

			assert.deepEqual(await here.persons.erase('bob'), { conversations: 1, contributions: 3, sessions: 3 });
			assert.equal(await codeOf(() => his.history()), 'not-found');
			assert.deepEqual((await there.persons.export('bob')).conversations, []);
			const left = await there.of('alice').open('hers');
			assert.doesNotMatch(JSON.stringify(await left.export()), /bob|needle/);
			assert.deepEqual(await left.search('needle'), []);
			assert.equal((await left.history()).length, 4);
			assert.deepEqual([...sessions], [['alice', 1]]);
		},
	},
];

/** The conversations of one node. */
function conversationsOf(store: ConversationStore, options: ConversationsOptions = {}): Conversations {
	return new Conversations(store, { clock: new ManualClock(), ...options });
}
