import {
	type ConversationEvent,
	Conversations,
	type ConversationsOptions,
	InMemoryConversationStore,
	markdownOf,
	type Range,
	textOfSummary,
} from '@holdfast/conversations';
import { ConversationError, ConversationStore, keysToArchive } from '@holdfast/conversations/custom';
import { ManualClock } from '@holdfast/session-manager/testing';
import { describe, expect, it, onTestFinished, vi } from 'vitest';

const DAY_MS = 24 * 60 * 60 * 1000;
const shareKeys = [{ id: 'k1', secret: 'one secret of at least thirty-two bytes' }];

function make(options: ConversationsOptions = {}) {
	const store = new InMemoryConversationStore();
	const clock = new ManualClock(Date.UTC(2025, 8, 2, 10));
	const conversations = new Conversations(store, { clock, shareKeys, ...options });
	return { store, clock, conversations, alice: conversations.of('alice'), bob: conversations.of('bob') };
}

const failing = (code: string) => expect.objectContaining({ name: 'ConversationError', code });

describe('a conversation', () => {
	it('is exported as Markdown, however many backticks a value has', async () => {
		const { alice } = make();
		const conversation = await alice.create({ id: 'c', title: 'Code' });
		await conversation.setContext('k', `\`\`\`\`${' `'.repeat(130_000)}`);
		expect(markdownOf(await conversation.export())).toMatch(/\n`````json\n"````( `){130000}"\n`````\n$/);
	});

	it('is cut between characters, wherever that is', async () => {
		const { alice } = make();
		const conversation = await alice.create({ id: 'c', title: 'Cut' });
		for (const before of ['', 'a']) {
			const long = `${before}${'😀'.repeat(3_000)}`;
			await conversation.addMessage({ role: 'user', content: long });
			await conversation.addDiscovery({ title: 'Long', description: long });
			await conversation.setContext(`k${before}`, long);
			const smiles = '😀'.repeat(100);
			await conversation.addMessage({ role: 'user', content: `${before}${smiles} needle ${smiles}${smiles}` });
			await conversation.addMessage({ role: 'user', content: `${before} needle ${smiles}${smiles}` });
		}
		const summary = await conversation.summary();
		const hits = await conversation.search('needle');
		expect(summary.messages[0]?.text).toMatch(/^(😀){1000} …/u);
		expect(summary.messages[3]?.text).toMatch(/^a(😀){999} …/u);
		expect(hits.map(({ snippet }) => snippet.includes('needle'))).toEqual([true, true, true, true]);
		for (const shown of [textOfSummary(summary), JSON.stringify(summary), JSON.stringify(hits)]) {
			expect(shown).toContain('😀');
			expect(JSON.stringify(shown)).not.toMatch(/\\ud/);
		}
	});

	it('has no half of a character, wherever one is given', async () => {
		const { alice } = make();
		const conversation = await alice.create({ id: 'c', title: 'Halves', metadata: { half: '\ud83d' } });
		await conversation.addMessage({ role: 'user', content: 'half \ud83d, \\ud83d, 😀', metadata: { '\ude00': 1 } });
		await conversation.addMessage({ role: 'user', content: [{ type: 'text', text: '\ude00' }] });
		await conversation.setContext('k', ['\ud83d']);
		await conversation.addDiscovery({ title: 'Half', context: ['\ud83d'] });
		const exported = await conversation.export();
		expect(exported.messages[0]?.content).toBe('half \ufffd, \\ud83d, 😀');
		expect(exported).toMatchObject({ metadata: { half: '\ufffd' }, context: [{ value: ['\ufffd'] }] });
		expect(JSON.stringify(exported)).not.toMatch(/(?<!\\)\\ud/);
		for (const use of [
			() => conversation.getContext('\ud83d'),
			() => conversation.removeContext('\ud83d'),
			() => conversation.setContext('\ud83d', 1),
		]) {
			await expect(use()).rejects.toEqual(failing('invalid'));
		}
	});

	it('is suspended, and resumed with what one needs to go on', async () => {
		const { alice, clock } = make();
		const conversation = await alice.create({ id: 'leak', title: 'Memory leak', project: 'E-Commerce API' });
		await conversation.addMessages([
			{ role: 'user', content: 'The instances grow by 100 MB an hour.' },
			{ role: 'assistant', content: 'What changed in v2.4.0?' },
		]);
		await conversation.setContext('deployment', { version: 'v2.4.0' });
		expect(await conversation.addDiscovery({ title: 'The cache has no eviction policy', relevance: 0.9 })).toBe(1);
		await conversation.addDiscovery({ kind: 'hypothesis', title: 'The cache leaks', relevance: 0.7, messages: [1] });
		await conversation.suspend();
		await expect(conversation.addMessage({ role: 'user', content: 'late' })).rejects.toEqual(failing('suspended'));

		clock.advance(7 * DAY_MS);
		const again = await alice.open('leak');
		const summary = await again.resume();
		expect(summary).toMatchObject({
			title: 'Memory leak',
			state: 'active',
			role: 'owner',
			since: undefined,
			discoveries: [{ number: 1 }, { number: 2 }],
			open: [{ number: 2 }],
			context: [{ key: 'deployment', value: '{"version":"v2.4.0"}', isCut: false }],
			messages: [{ number: 1, role: 'user' }, { number: 2 }],
			totals: { messages: 2, discoveries: 2, context: 1 },
		});
		expect(await again.head()).toMatchObject({ state: 'active', resumedAt: clock.now(), lastUsedAt: clock.now() });

		clock.advance(1);
		await again.addMessage({ role: 'user', content: 'It is the cache.' });
		await again.addDiscovery({ title: 'Confirmed', resolves: [2] });
		await again.setContext('cache', { entries: 45_000 });
		expect(await again.resume()).toMatchObject({
			open: [],
			since: { messages: 1, discoveries: 1, context: ['cache'] },
		});
	});

	it('that has ended is read and searched, and never changed', async () => {
		const { alice } = make();
		const conversation = await alice.create({ title: 'Done' });
		await conversation.addMessage({ role: 'user', content: 'needle' });
		await conversation.end('solved');
		for (const change of [
			() => conversation.addMessage({ role: 'user', content: 'late' }),
			() => conversation.setContext('k', 1),
			() => conversation.addDiscovery({ title: 'late' }),
			() => conversation.suspend(),
			() => conversation.update({ title: 'late' }),
			() => conversation.share('reader'),
		]) {
			await expect(change()).rejects.toEqual(failing('terminated'));
		}
		expect(await conversation.resume()).toMatchObject({ state: 'terminated', totals: { messages: 1 } });
		expect(await conversation.search('needle')).toHaveLength(1);
		expect(await conversation.head()).toMatchObject({ state: 'terminated', endReason: 'solved' });
	});

	it('has an id of the words of its title, and a taken id is an error that says to resume', async () => {
		const { alice, bob } = make();
		expect((await alice.create({ title: 'Mémoire: fuite n° 1!' })).id).toMatch(/^memoire-fuite-n-1-[\da-f]{10}$/);
		await alice.create({ id: 'leak', title: 'Leak' });
		await expect(bob.create({ id: 'leak', title: 'Mine' })).rejects.toThrow(/"leak" exists already. Resume it/);
	});

	it('keeps changes that members make at the same time', async () => {
		const { alice } = make();
		const conversation = await alice.create({ title: 'Busy' });
		await Promise.all([
			...['key1', 'key2', 'key3'].map((key) => conversation.setContext(key, key)),
			conversation.update({ project: 'P' }),
			conversation.share('reader'),
			conversation.share('writer'),
			conversation.setMember('bob', 'reader'),
		]);
		expect((await conversation.context()).map(({ key }) => key).sort()).toEqual(['key1', 'key2', 'key3']);
		expect(await conversation.head()).toMatchObject({
			project: 'P',
			links: [{}, {}],
			members: [{ principal: 'alice' }, { principal: 'bob' }],
		});
	});

	it('writes a value only from the version that was read', async () => {
		const { alice } = make();
		const conversation = await alice.create({ title: 'CAS' });
		const { version } = await conversation.setContext('k', 1, { expected: undefined });
		await expect(conversation.setContext('k', 2, { expected: undefined })).rejects.toEqual(failing('conflict'));
		await conversation.setContext('k', 2, { expected: version });
		await conversation.removeContext('k');
		expect(await conversation.getContext('k')).toBeUndefined();
	});

	it('is exported whole, and as Markdown to read', async () => {
		const { alice } = make();
		const conversation = await alice.create({ id: 'c', title: 'Title', description: 'About it' });
		await conversation.addMessage({ role: 'user', content: 'Hello' });
		await conversation.setContext('code', '```js```');
		await conversation.addDiscovery({ title: 'Found', description: 'Why' });
		const exported = await conversation.export();
		expect(exported).toMatchObject({ id: 'c', messages: [{ content: 'Hello' }], context: [{}], discoveries: [{}] });
		expect(JSON.parse(JSON.stringify(exported))).toMatchObject({ id: 'c' });
		const markdown = markdownOf(exported);
		for (const part of ['# Title', 'About it', '### 1. Found', '### code', '````json', '**1. user**, 2025-09-02T']) {
			expect(markdown).toContain(part);
		}
	});

	it('is exported in pages, whole, as it was when that began', async () => {
		const limits: number[] = [];
		const turns = new Set<number>();
		const noted = ({ limit }: Range) => {
			limits.push(limit);
			turns.add(performance.nodeTiming.uvMetricsInfo.loopCount);
		};
		class Paged extends InMemoryConversationStore {
			override messages(id: string, range: Range) {
				noted(range);
				const page = super.messages(id, range);
				if (limits.length === 1) this.append(id, [{ role: 'user', content: 'late', at: 1 }]);
				return page;
			}
			override discoveries(id: string, range: Range) {
				noted(range);
				return super.discoveries(id, range);
			}
		}
		const conversation = await new Conversations(new Paged()).of('alice').create({ title: 'Long' });
		await conversation.addMessages(Array.from({ length: 450 }, (_, n) => ({ role: 'user', content: `${n + 1}` })));
		for (let n = 1; n <= 400; n++) await conversation.addDiscovery({ title: `${n}` });
		limits.length = 0;
		turns.clear();
		const { messages, discoveries } = await conversation.export();
		expect(messages.map(({ content }) => content)).toEqual(Array.from({ length: 450 }, (_, n) => `${n + 1}`));
		expect(discoveries.map(({ number }) => number)).toEqual(Array.from({ length: 400 }, (_, n) => n + 1));
		expect(limits).toHaveLength(5);
		expect(Math.max(...limits)).toBe(200);
		// The first discoveries are read in the turn of the oldest messages, and the first turn may have begun before.
		expect(turns.size).toBeGreaterThanOrEqual(limits.length - 2);
	});

	it('is summed up in bounds, however much there is of it', async () => {
		const { alice, clock } = make();
		const conversation = await alice.create({ title: 'Much' });
		for (let n = 1; n <= 250; n++) {
			const kind = n % 2 === 0 ? 'question' : 'finding';
			const [messages, context] = [Array.from({ length: 5_000 }, (_, m) => m), ['k'.repeat(30_000)]];
			await conversation.addDiscovery({ kind, title: `${n}`, description: 'd'.repeat(20_000), messages, context });
		}
		await conversation.addDiscovery({ title: 'answers two', resolves: [250, 10] });
		await conversation.resume();
		clock.advance(1);
		for (let n = 1; n <= 150; n++) await conversation.setContext(`key ${n}`, 'v'.repeat(10_000));
		const summary = await conversation.summary();
		expect(JSON.stringify(summary).length).toBeLessThan(150_000);
		expect(summary.totals).toEqual({ messages: 0, discoveries: 251, open: 123, context: 150 });
		expect(summary.discoveries.map(({ number }) => number)).toEqual(Array.from({ length: 20 }, (_, n) => 232 + n));
		expect(summary.open.map(({ number }) => number)).toEqual(Array.from({ length: 20 }, (_, n) => 210 + 2 * n));
		expect(summary.since?.context).toHaveLength(100);
		expect(summary.context.every(({ value, isCut }) => isCut && value === 'v'.repeat(500))).toBe(true);
	});

	it('in memory is not written anew for a write, however much there is of it', async () => {
		const { alice, store } = make();
		const conversation = await alice.create({ title: 'Much' });
		for (let n = 1; n <= 100; n++) await conversation.addDiscovery({ title: `${n}`, description: 'd'.repeat(20_000) });
		await conversation.addMessage({ role: 'user', content: 'm'.repeat(100_000) });
		const before = store.counts(conversation.id)?.bytes ?? 0;
		expect(before).toBeGreaterThan(2_100_000);
		const written = vi.spyOn(JSON, 'stringify');
		onTestFinished(() => written.mockRestore());
		await conversation.addDiscovery({ title: 'one more' });
		await conversation.addMessage({ role: 'user', content: 'one more' });
		await conversation.setContext('one', 'more');
		const longest = Math.max(...written.mock.results.map(({ value }) => String(value).length));
		expect(longest).toBeLessThan(1_000);
		written.mockRestore();
		expect(store.counts(conversation.id)?.bytes).toBeGreaterThan(before);
		expect(store.eraseAuthor(conversation.id, 'alice')).toBe(104);
		expect(store.counts(conversation.id)?.bytes).toBeLessThan(50_000);
	});

	it('of long messages is read, summed up and exported some at a time, whole in the end', async () => {
		let most = 0;
		class Noted extends InMemoryConversationStore {
			override messages(id: string, range: Range) {
				const page = super.messages(id, range);
				most = Math.max(most, Buffer.byteLength(JSON.stringify(page)));
				return page;
			}
		}
		const conversation = await new Conversations(new Noted()).of('alice').create({ title: 'Long' });
		for (let n = 1; n <= 60; n++) await conversation.addMessage({ role: 'user', content: String(n).padEnd(500_000) });
		expect((await conversation.history()).map(({ number }) => number)).toEqual([59, 60]);
		expect((await conversation.history({ before: 59 })).map(({ number }) => number)).toEqual([57, 58]);
		expect(await conversation.history({ maxBytes: 10_000_000 })).toHaveLength(19);
		most = 0;
		const summary = await conversation.summary();
		expect([summary.messages.length, summary.totals.messages]).toEqual([2, 60]);
		expect(most).toBeLessThan(1_100_000);
		const { messages } = await conversation.export();
		expect(messages.map(({ content }) => Number(content))).toEqual(Array.from({ length: 60 }, (_, n) => n + 1));
		expect(most).toBeLessThan(9_000_000);
	});
});

describe('limits', () => {
	it('move old messages to the archive, where they are read and found', async () => {
		const { alice } = make({ maxHistory: 10, archiveBatch: 4 });
		const conversation = await alice.create({ title: 'Long' });
		for (let n = 1; n <= 25; n++) await conversation.addMessage({ role: 'user', content: `message needle${n}` });
		expect(await conversation.counts()).toMatchObject({ messages: 25, archivedMessages: 16 });
		expect(await conversation.search('needle1')).toMatchObject([{ kind: 'message', number: 1, archived: true }]);
		expect(await conversation.history({ before: 3 })).toMatchObject([{ number: 1 }, { number: 2 }]);
	});

	it('move a fifth of the context to the archive, where it is read and found', async () => {
		const { alice, clock } = make({ maxContextBytes: 1_000 });
		const conversation = await alice.create({ title: 'Wide' });
		for (let n = 0; n < 10; n++) {
			clock.advance(1);
			await conversation.setContext(`k${n}`, `needle${n}${'x'.repeat(89)}`);
		}
		const { archived } = await conversation.setContext('another', 'x'.repeat(90));
		expect(archived).toEqual(['k0', 'k1']);
		expect(await conversation.getContext('k0')).toMatchObject({ archived: true });
		expect(await conversation.search('needle0*')).toMatchObject([{ key: 'k0', archived: true }]);
	});

	it.each([
		['a message', { maxMessageBytes: 100 }, /may have 100: split it/],
		['a value', { maxValueBytes: 100 }, /may have 100: store a summary/],
		['all discoveries', { maxDiscoveries: 1 }, /the most that it may have. Begin a new/],
		['a conversation', { maxConversationBytes: 150 }, /may have 150. Begin a new/],
		['members', { maxMembers: 2 }, /the most that it may have/],
		['a person', { maxConversationsPerPerson: 1 }, /Suspend or end some/],
		['all of a person', { maxConversationsKeptPerPerson: 1 }, /suspended and ended ones included. Erase some/],
		['the store', { maxConversations: 1 }, /End some that are over/],
	])('refuse too much of %s, and say what to do', async (_what, limits, message) => {
		const { alice } = make(limits);
		const conversation = await alice.create({ title: 'Limited' });
		const tooMuch = async () => {
			for (let n = 0; n < 2; n++) {
				await conversation.addDiscovery({ title: `d${n}` });
				await conversation.setMember(`member${n}`, 'reader');
			}
			await conversation.setContext('k', 'x'.repeat(200));
			await conversation.addMessage({ role: 'user', content: 'x'.repeat(200) });
			await alice.create({ title: 'Another' });
		};
		await expect(tooMuch()).rejects.toEqual(failing('limit'));
		await expect(tooMuch()).rejects.toThrow(message);
	});

	it('suspend the oldest conversation of a person where that is wanted', async () => {
		const { alice, bob, clock } = make({ maxConversationsPerPerson: 2, tooManyConversations: 'suspend-oldest' });
		await bob.create({ id: 'his', title: 'His' });
		for (const id of ['one', 'two', 'three']) {
			clock.advance(1);
			await alice.create({ id, title: id });
		}
		const states = async () => Object.fromEntries((await alice.list()).map(({ id, state }) => [id, state]));
		expect(await states()).toEqual({ one: 'suspended', two: 'active', three: 'active' });
		clock.advance(1);
		await (await alice.open('one')).resume();
		expect(await states()).toEqual({ one: 'active', two: 'suspended', three: 'active' });
		expect((await bob.list())[0]?.state).toBe('active');
	});

	it('fill no store for one person, who creates and suspends or ends them', async () => {
		for (const tooManyConversations of ['refuse', 'suspend-oldest'] as const) {
			const { alice, bob } = make({
				maxConversationsKeptPerPerson: 5,
				maxConversationsPerPerson: 2,
				tooManyConversations,
			});
			for (let n = 0; n < 5; n++) {
				const conversation = await alice.create({ title: `${n}` });
				if (n % 2 === 0) await conversation.suspend();
				else await conversation.end();
			}
			const oldest = (await alice.list()).at(-1)?.id ?? '';
			await expect(alice.create({ title: 'more' })).rejects.toEqual(failing('limit'));
			await alice.at(oldest).erase();
			await alice.create({ title: 'again' });
			await expect(alice.create({ title: 'more' })).rejects.toEqual(failing('limit'));
			expect((await alice.list({ states: ['active'] })).length).toBe(1);
			await bob.create({ title: 'His' });
		}
	});

	it('suspend nothing for a new one where ended ones count as well, and still for one that is resumed', async () => {
		const limits = {
			maxConversationsPerPerson: 1,
			maxConversationsKeptPerPerson: 2,
			tooManyConversations: 'suspend-oldest',
		} as const;
		const { alice } = make(limits);
		for (const id of ['one', 'two']) await alice.create({ id, title: id });
		await expect(alice.create({ title: 'three' })).rejects.toEqual(failing('limit'));
		const states = async () => Object.fromEntries((await alice.list()).map(({ id, state }) => [id, state]));
		expect(await states()).toEqual({ one: 'suspended', two: 'active' });
		await alice.at('one').resume();
		expect(await states()).toEqual({ one: 'active', two: 'suspended' });
	});

	it('suspend nothing where it is the store that is full', async () => {
		const limits = {
			maxConversationsPerPerson: 0,
			maxConversations: 2,
			tooManyConversations: 'suspend-oldest',
		} as const;
		const { alice } = make(limits);
		for (const id of ['one', 'two']) await alice.create({ id, title: id });
		await expect(alice.create({ title: 'three' })).rejects.toEqual(failing('limit'));
		expect((await alice.list()).map(({ state }) => state)).toEqual(['active', 'active']);
	});

	it('archive as many values at once as there are', () => {
		const others = Array.from({ length: 700_000 }, (_, n) => ({ key: `k${n}`, bytes: 1, accessedAt: n }));
		const archived = keysToArchive(others, { key: 'k', bytes: 1, accessedAt: 0 }, 700_000);
		expect(archived).toEqual(others.slice(0, 140_000).map(({ key }) => key));
	});

	it('end conversations that nobody used for 90 days, or erase them', async () => {
		for (const unusedConversations of ['end', 'erase'] as const) {
			const { alice, clock, conversations } = make({ unusedConversations });
			await alice.create({ id: 'old', title: 'Old' });
			const used = await alice.create({ id: 'used', title: 'Used' });
			clock.advance(60 * DAY_MS);
			await used.addMessage({ role: 'user', content: 'still here' });
			clock.advance(31 * DAY_MS);
			expect(await conversations.sweep()).toBe(1);
			const left = (await alice.list()).map(({ id, state }) => `${id} ${state}`).sort();
			expect(left).toEqual(unusedConversations === 'end' ? ['old terminated', 'used active'] : ['used active']);
		}
	});

	it('leave a conversation alone that somebody uses while unused ones are looked for', async () => {
		for (const unusedConversations of ['end', 'erase'] as const) {
			const { store, alice, clock, conversations } = make({ unusedConversations });
			await alice.create({ id: 'old', title: 'Old' });
			const used = await alice.create({ id: 'used', title: 'Used' });
			clock.advance(91 * DAY_MS);
			const listed = store.list({}, undefined, 10);
			vi.spyOn(store as ConversationStore, 'list').mockImplementationOnce(async () => {
				await used.addMessage({ role: 'user', content: 'back again' });
				return listed;
			});
			expect(await conversations.sweep()).toBe(1);
			expect(await used.head()).toMatchObject({ state: 'active', lastUsedAt: clock.now() });
			expect(await used.history()).toHaveLength(1);
		}
	});

	it('end nothing in a store that cannot ask in the same step whether it is used, and say so', async () => {
		const { store, alice, clock, conversations } = make();
		const old = await alice.create({ id: 'old', title: 'Old' });
		clock.advance(91 * DAY_MS);
		Object.assign(store, { writeUnused: ConversationStore.prototype.writeUnused });
		await expect(conversations.sweep()).rejects.toThrow(/InMemoryConversationStore must have a method writeUnused/);
		expect((await old.head()).state).toBe('active');
	});

	it('let what was read by itself stay longest, however often all values are read at once', async () => {
		const { alice, clock } = make({ maxContextBytes: 1_000, touchIntervalMs: 1_000 });
		const conversation = await alice.create({ id: 'c', title: 'C' });
		for (const key of ['a', 'b', 'c', 'd', 'e', 'f']) {
			clock.advance(10_000);
			await conversation.setContext(key, 'x'.repeat(140));
		}
		const readAll = async () => {
			clock.advance(10_000);
			expect(await conversation.context()).toHaveLength(6);
			await conversation.summary();
			await conversation.resume();
		};
		await readAll();
		// Soon afterwards: how often a use is recorded must not hide this one.
		clock.advance(500);
		await conversation.getContext('a');
		await readAll();
		expect(await conversation.setContext('g', 'x'.repeat(200))).toMatchObject({ archived: ['b', 'c'] });
	});

	it('are whole numbers, or the constructor says which is not', () => {
		for (const options of [{ maxHistory: 0 }, { maxContextBytes: 1.5 }, { unusedTtlMs: -1 }, { maxCached: -1 }]) {
			expect(() => make(options)).toThrow(TypeError);
		}
		expect(() => make({ tooManyConversations: 'ask' as 'refuse' })).toThrow(/must be 'refuse' or 'suspend-oldest'/);
	});
});

describe('access', () => {
	it('a stranger finds nothing, by no verb', async () => {
		const { alice, bob, conversations } = make();
		const conversation = await alice.create({ id: 'c', title: 'Secret' });
		await conversation.addMessage({ role: 'user', content: 'needle' });
		await conversation.setMember('bob', 'writer');
		const his = await bob.open('c');
		await conversation.setMember('bob', undefined);
		for (const verb of [
			() => bob.open('c'),
			() => his.head(),
			() => his.counts(),
			() => his.resume(),
			() => his.history(),
			() => his.context(),
			() => his.getContext('k'),
			() => his.setContext('k', 1),
			() => his.removeContext('k'),
			() => his.addMessage({ role: 'user', content: 'x' }),
			() => his.addDiscovery({ title: 'x' }),
			() => his.discoveries(),
			() => his.search('needle'),
			() => his.suspend(),
			() => his.end(),
			() => his.erase(),
			() => his.update({ title: 'x' }),
			() => his.share('reader'),
			() => his.revoke('x'),
			() => his.setMember('bob', 'writer'),
			() => his.leave(),
			() => his.export(),
		]) {
			const error = await verb().then(
				() => undefined,
				(reason: Error) => reason,
			);
			const unknown = await conversations
				.of('bob')
				.open('c')
				.catch((reason: Error) => reason);
			expect(error).toEqual(failing('not-found'));
			expect(error?.message).toBe((unknown as Error).message);
		}
		expect(await bob.list()).toEqual([]);
		expect(await bob.search('needle')).toEqual([]);
	});

	it('a reader reads, a writer writes, and only the owner shares, ends and erases', async () => {
		const { alice, bob, conversations } = make();
		const conversation = await alice.create({ id: 'c', title: 'Shared' });
		await conversation.setMember('bob', 'reader');
		await conversation.setMember('carol', 'writer');
		const [his, hers] = [await bob.open('c'), await conversations.of('carol').open('c')];
		expect(await his.history()).toEqual([]);
		expect(await his.resume()).toMatchObject({ role: 'reader' });
		await hers.addMessage({ role: 'user', content: 'hi' });
		expect((await his.history())[0]?.by).toBe('carol');
		for (const verb of [
			() => his.addMessage({ role: 'user', content: 'x' }),
			() => his.setContext('k', 1),
			() => his.suspend(),
			() => hers.share('reader'),
			() => hers.setMember('dave', 'reader'),
			() => hers.end(),
			() => hers.erase(),
		]) {
			await expect(verb()).rejects.toEqual(failing('forbidden'));
		}
		await his.leave();
		await expect(his.history()).rejects.toEqual(failing('not-found'));
		await expect(conversation.leave()).rejects.toEqual(failing('invalid'));
	});

	it('a reader who resumes a suspended conversation leaves it suspended', async () => {
		const { alice, bob } = make();
		const conversation = await alice.create({ id: 'c', title: 'Shared' });
		await conversation.setMember('bob', 'reader');
		await conversation.suspend();
		expect(await (await bob.open('c')).resume()).toMatchObject({ state: 'suspended' });
	});

	it('a share link lets in until it expires or is revoked, and a changed one never', async () => {
		const { alice, bob, conversations, clock } = make();
		const conversation = await alice.create({ id: 'c', title: 'Shared' });
		const link = await conversation.share('writer', 1_000);
		await expect(bob.join(`${link.token}x`)).rejects.toEqual(failing('invalid-link'));
		const [prefix, id, payload = '', signature] = link.token.split('.');
		const claims = JSON.parse(Buffer.from(payload, 'base64url').toString());
		const forged = Buffer.from(JSON.stringify({ ...claims, expiresAt: 9e15 })).toString('base64url');
		await expect(bob.join([prefix, id, forged, signature].join('.'))).rejects.toEqual(failing('invalid-link'));
		await expect(bob.join('share.k1..')).rejects.toEqual(failing('invalid-link'));
		await (await bob.join(link.token)).addMessage({ role: 'user', content: 'hi' });
		await conversation.revoke(link.id);
		await expect(bob.open('c')).rejects.toEqual(failing('not-found'));
		await expect(bob.join(link.token)).rejects.toEqual(failing('invalid-link'));
		const other = await conversation.share('reader', 1_000);
		clock.advance(1_000);
		await expect(conversations.of('carol').join(other.token)).rejects.toEqual(failing('invalid-link'));
	});

	it('a share link never lowers a role, and raises that of a reader', async () => {
		const { alice, bob } = make();
		const conversation = await alice.create({ id: 'c', title: 'Shared' });
		const [reading, writing] = [await conversation.share('reader'), await conversation.share('writer')];
		await alice.join(reading.token);
		await bob.join(reading.token);
		await bob.join(writing.token);
		await bob.join(reading.token);
		expect((await alice.list())[0]?.role).toBe('owner');
		expect((await bob.list())[0]?.role).toBe('writer');
	});

	it('keys of share links are rotated without a link becoming invalid, until the old key is dropped', async () => {
		const old = { id: 'old', secret: 'a'.repeat(32) };
		const recent = { id: 'new', secret: new Uint8Array(32) };
		const store = new InMemoryConversationStore();
		const at = (shareKeys: readonly (typeof old | typeof recent)[]) => new Conversations(store, { shareKeys });
		const { token } = await (await at([old]).of('alice').create({ id: 'c', title: 'T' })).share('reader');
		await at([recent, old]).of('bob').join(token);
		await expect(at([recent]).of('carol').join(token)).rejects.toEqual(failing('invalid-link'));
		expect(() => at([{ id: 'short', secret: 'x' }])).toThrow(/must have 32 bytes/);
		await expect((await at([]).of('alice').open('c')).share('reader')).rejects.toThrow(/Share links are off/);
	});
});

describe('a person', () => {
	it('who writes while they are erased is out first, and nothing of theirs stays', async () => {
		const { store, alice, bob, conversations } = make();
		const hers = await alice.create({ id: 'hers', title: 'Hers' });
		await hers.setMember('bob', 'writer');
		const his = await bob.open('hers');
		await his.addMessage({ role: 'user', content: 'private' });
		const erase = store.eraseAuthor.bind(store);
		vi.spyOn(store as ConversationStore, 'eraseAuthor').mockImplementation(async (...args) => {
			const erased = erase(...args);
			await expect(his.addMessage({ role: 'user', content: 'private' })).rejects.toEqual(failing('not-found'));
			await expect(his.setContext('k', 'private')).rejects.toEqual(failing('not-found'));
			await expect(his.addDiscovery({ title: 'private' })).rejects.toEqual(failing('not-found'));
			return erased;
		});
		expect(await conversations.persons.erase('bob')).toMatchObject({ contributions: 1 });
		expect(JSON.stringify(await hers.export())).not.toMatch(/private|bob/);
	});

	it('who is let in again while they are erased is out again, and nothing of theirs stays', async () => {
		const { store, alice, bob, conversations } = make();
		const hers = await alice.create({ id: 'hers', title: 'Hers' });
		await hers.setMember('bob', 'writer');
		await bob.at('hers').addMessage({ role: 'user', content: 'private' });
		const erase = store.eraseAuthor.bind(store);
		vi.spyOn(store as ConversationStore, 'eraseAuthor').mockImplementationOnce(async (...args) => {
			const erased = erase(...args);
			await hers.setMember('bob', 'writer');
			await bob.at('hers').addMessage({ role: 'user', content: 'private again' });
			return erased;
		});
		expect(await conversations.persons.erase('bob')).toMatchObject({ contributions: 2 });
		expect(JSON.stringify(await hers.export())).not.toMatch(/private|bob/);
	});

	it('is erased and exported as far as can be, and what is left is named', async () => {
		const ended = vi.fn(async () => 1);
		const sessions = { export: async () => ({ sessions: [] }), erase: ended };
		const { store, alice, bob, conversations } = make({ sessions });
		for (const id of ['bad', 'good']) {
			const hers = await alice.create({ id, title: id });
			await hers.setMember('bob', 'writer');
			await bob.at(id).addMessage({ role: 'user', content: 'private' });
		}
		await bob.create({ id: 'his', title: 'His' });
		const spoil = (method: 'eraseAuthor' | 'messages' | 'counts') => {
			const healthy = (store as ConversationStore)[method].bind(store) as (id: string, ...rest: unknown[]) => never;
			return vi.spyOn(store as ConversationStore, method).mockImplementation((id: string, ...rest: unknown[]) => {
				if (id === 'bad') throw new ConversationError('corrupt', 'It is damaged.');
				return healthy(id, ...rest);
			});
		};
		const errors: Error[] = [];
		conversations.onerror = (error) => errors.push(error);
		const spoiled = [spoil('eraseAuthor'), spoil('messages'), spoil('counts')];
		expect(await conversations.persons.export('bob')).toMatchObject({
			conversations: [{ id: 'good', messages: [{ content: 'private' }] }, { id: 'his' }],
			damaged: ['bad'],
		});
		expect(await conversations.stats()).toMatchObject({ total: 3 });
		expect(errors).toEqual([failing('corrupt')]);
		await expect(conversations.persons.erase('bob')).rejects.toThrow(/not these conversations: "bad"\. Repair/);
		await expect(conversations.persons.erase('bob')).rejects.toEqual(failing('corrupt'));
		for (const each of spoiled) each.mockRestore();
		expect(ended).toHaveBeenCalledTimes(2);
		expect(await alice.at('good').history()).toMatchObject([{ content: '[erased]' }]);
		expect(store.read('his')).toBeUndefined();
		expect(await conversations.persons.erase('bob')).toMatchObject({ contributions: 1 });
		expect(JSON.stringify(await alice.at('bad').export())).not.toMatch(/private|bob/);
	});

	it('whose sessions cannot be erased is told that, and which conversations are left, with other sessions as well', async () => {
		const { store, alice, conversations } = make();
		await alice.create({ id: 'hers', title: 'Hers' });
		await (await conversations.of('bob').create({ id: 'his', title: 'His' })).setMember('alice', 'reader');
		const away = async () => {
			throw new Error('The store is away.');
		};
		const persons = conversations.persons.withSessions({ export: away, erase: away });
		expect(await persons.count('alice')).toEqual({ own: 1, others: 1, damaged: 0 });
		await expect(persons.erase('alice')).rejects.toEqual(failing('unavailable'));
		await expect(persons.erase('alice')).rejects.toThrow(
			'The rest is erased, but not the sessions (The store is away). Erase again when their store is back.',
		);
		expect(store.read('hers')).toBeUndefined();
		expect(await persons.count('alice')).toEqual({ own: 0, others: 0, damaged: 0 });
		await expect(conversations.persons.erase('alice')).resolves.toMatchObject({ conversations: 0, sessions: 0 });
	});

	it('is erased, let in or in need of room: who is subscribed hears of what looks different', async () => {
		const { alice, bob, conversations } = make({
			maxConversationsPerPerson: 1,
			tooManyConversations: 'suspend-oldest',
		});
		const hers = await alice.create({ id: 'c', title: 'C' });
		const { token } = await hers.share('writer');
		const heard: string[] = [];
		conversations.onchange = ({ uris }) => heard.push(...uris);
		const his = await bob.join(token);
		expect(heard.splice(0)).toEqual(['conversation://c']);
		await his.setContext('k', 1);
		heard.splice(0);
		await conversations.persons.erase('bob');
		expect(heard.splice(0)).toEqual(
			['', '/history', '/discoveries', '/context/k'].map((part) => `conversation://c${part}`),
		);
		await alice.create({ id: 'd', title: 'D' });
		expect(heard).toEqual(['conversation://c']);
	});

	it('is told whenever their list looks different, and whoever is concerned as well', async () => {
		const { alice, bob, conversations, clock } = make({ unusedConversations: 'erase' });
		const heard: string[][] = [];
		conversations.onchange = ({ listOf }) => listOf && heard.push([...listOf].sort());
		const c = await alice.create({ id: 'c', title: 'C' });
		await c.setMember('bob', 'reader');
		await c.setMember('bob', 'writer');
		await bob.at('c').update({ title: 'Renamed' });
		await bob.at('c').update({ project: 'P' });
		await bob.at('c').leave();
		const { token, id } = await c.share('reader');
		await bob.join(token);
		await c.revoke(id);
		await bob.join((await c.share('reader')).token);
		await c.suspend();
		await c.resume();
		await conversations.persons.erase('bob');
		clock.advance(91 * DAY_MS);
		await conversations.sweep();
		const [both, hers, his] = [['alice', 'bob'], ['alice'], ['bob']];
		expect(heard).toEqual([hers, his, both, his, his, his, his, his, hers]);
	});

	it('is exported and erased, over conversations and sessions, in one call', async () => {
		const sessions = {
			export: async (principal: string) => ({ sessions: [{ of: principal }], records: [{ kind: 'handle' }] }),
			erase: async () => 3,
		};
		const { alice, bob, conversations } = make({ sessions });
		const hers = await alice.create({ id: 'hers', title: 'Hers' });
		await hers.setMember('bob', 'writer');
		await (await bob.open('hers')).addMessage({ role: 'user', content: 'by bob' });
		await hers.addMessage({ role: 'user', content: 'by alice' });
		await hers.setMember('bob', undefined);
		const his = await bob.create({ id: 'his', title: 'His' });
		await his.addMessage({ role: 'user', content: 'mine' });

		const exported = await conversations.persons.export('bob');
		expect(JSON.parse(JSON.stringify(exported))).toMatchObject({
			principal: 'bob',
			conversations: [
				{ id: 'hers', messages: [{ content: 'by bob' }], members: [{ principal: 'bob' }] },
				{ id: 'his', messages: [{ content: 'mine' }] },
			],
			sessions: [{ of: 'bob' }],
			records: [{ kind: 'handle' }],
		});
		expect(await conversations.persons.erase('bob')).toEqual({ conversations: 1, contributions: 1, sessions: 3 });
		expect(await hers.history()).toMatchObject([{ content: '[erased]' }, { content: 'by alice' }]);
		expect(JSON.stringify(await hers.export())).not.toContain('bob');
		expect((await conversations.persons.export('bob')).conversations).toEqual([]);
	});
});

describe('what happens', () => {
	it('is told as the resources that changed, and a listener that fails fails nobody', async () => {
		const { alice, conversations } = make();
		const uris: string[] = [];
		const errors: Error[] = [];
		conversations.onerror = (error) => errors.push(error);
		conversations.onchange = ({ uris: changed }) => {
			uris.push(...changed);
			throw new Error('no listener');
		};
		const conversation = await alice.create({ id: 'a b', title: 'T' });
		await conversation.addMessage({ role: 'user', content: 'hi' });
		await conversation.setContext('k/1', 1);
		await conversation.addDiscovery({ title: 'd' });
		await conversation.suspend();
		expect(new Set(uris)).toEqual(
			new Set([
				'conversation://a%20b',
				'conversation://a%20b/history',
				'conversation://a%20b/context/k%2F1',
				'conversation://a%20b/discoveries',
			]),
		);
		expect(errors.length).toBeGreaterThan(3);
	});

	it('is observed: created, failures and how long it took; active, total, average size, oldest', async () => {
		const events: ConversationEvent[] = [];
		const failed: Error[] = [];
		const broken = {
			event() {
				throw new Error('no observer');
			},
		};
		const { alice, conversations, clock } = make({ observe: [broken, { event: (event) => events.push(event) }] });
		conversations.onerror = (error) => failed.push(error);
		await alice.create({ id: 'c', title: 'T' });
		await alice.create({ id: 'c', title: 'T' }).catch(() => undefined);
		await (await alice.create({ id: 'd', title: 'T' })).suspend();
		clock.advance(500);
		const stats = await conversations.stats();
		expect(stats).toMatchObject({ active: 1, suspended: 1, total: 2, oldestAgeMs: 500, cached: 0 });
		const created = { type: 'conversation-created', durationMs: expect.any(Number) };
		expect(events).toEqual([
			{ ...created, error: undefined },
			{ ...created, error: 'taken' },
			{ ...created, error: undefined },
			{ type: 'conversations-counted', ...stats },
		]);
		expect(failed.map(({ message }) => message)).toEqual(Array.from({ length: 4 }, () => 'no observer'));
	});

	it('keeps a bounded number of summaries in memory, nothing of a suspended conversation, and never a stale one', async () => {
		const { alice, conversations, clock } = make({ maxCached: 2, cacheTtlMs: 1_000 });
		const all = await Promise.all(['a', 'b', 'c'].map((id) => alice.create({ id, title: id })));
		const cached = async () => (await conversations.stats()).cached;
		for (const each of all) await each.resume();
		expect(await cached()).toBe(2);
		await all[2]?.suspend();
		expect(await cached()).toBe(1);
		await all[1]?.setContext('k', 'new');
		expect((await all[1]?.resume())?.context).toMatchObject([{ key: 'k' }]);
		clock.advance(1_001);
		await all[0]?.resume();
		expect(await cached()).toBe(1);
	});
});

describe('search', () => {
	it('ranks what is relevant and recent higher, and shows where the words are', async () => {
		const { alice, clock } = make();
		const conversation = await alice.create({ title: 'T' });
		await conversation.addDiscovery({ title: 'needle, of little use', relevance: 0.1 });
		await conversation.addDiscovery({ title: 'needle, that matters', relevance: 1 });
		const long = `${'before '.repeat(100)}needle${' after'.repeat(100)}`;
		await conversation.addMessage({ role: 'user', content: long });
		const hits = await alice.search('needle');
		expect(hits.map(({ kind, number }) => `${kind} ${number}`)).toEqual(['discovery 2', 'discovery 1', 'message 1']);
		expect(hits[2]?.snippet).toMatch(/^….*needle.*…$/);
		expect(hits[2]?.snippet.length).toBeLessThan(220);
		clock.advance(300 * DAY_MS);
		await conversation.addDiscovery({ title: 'needle, found late', relevance: 0.9 });
		expect((await alice.search('needle'))[0]).toMatchObject({ kind: 'discovery', number: 3 });
	});

	it('needs words', async () => {
		const { alice } = make();
		await expect(alice.search(' "" * ')).rejects.toEqual(failing('invalid'));
	});
});
