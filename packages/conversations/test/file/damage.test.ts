import { appendFile, mkdir, readdir, readFile, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Conversations, FileConversationStore } from '@holdfast/conversations';
import { describe, expect, it, onTestFinished } from 'vitest';
import { sampleHead } from '../support/samples.ts';
import { temporaryFolder } from '../support/stores.ts';

const ALL = { limit: 1_000_000 };
const failing = (code: string) => expect.objectContaining({ name: 'ConversationError', code });
const say = (content: string) => ({ role: 'user' as const, content, at: 1, by: 'alice' });

function lastLineOf(text: string): string {
	return text.trimEnd().split('\n').at(-1) ?? '';
}

async function open(below = '') {
	const root = join(await temporaryFolder(), below);
	const store = new FileConversationStore(root);
	onTestFinished(() => store.close());
	const again = () => {
		const other = new FileConversationStore(root);
		onTestFinished(() => other.close());
		return other;
	};
	return { root, store, again, file: (name: string) => join(root, 'c', name) };
}

describe('the files', () => {
	it('are read by people: JSON, and gzip above 10,000 bytes', async () => {
		const { store, file, root } = await open();
		await store.create(sampleHead('c', { title: 'Readable' }));
		await store.append('c', [say('hello')]);
		await store.setContext('c', 'key', '*', { value: { a: 1 }, at: 1 });
		expect(JSON.parse(await readFile(file('conversation.json'), 'utf8')).head.title).toBe('Readable');
		expect(JSON.parse(lastLineOf(await readFile(file('messages.jsonl'), 'utf8')))).toMatchObject({
			number: 1,
			content: 'hello',
		});
		expect(JSON.parse(lastLineOf(await readFile(file('context.jsonl'), 'utf8')))).toMatchObject({
			key: 'key',
			value: { a: 1 },
		});
		const room = { keep: 2, batch: 2 };
		for (let n = 2; n <= 5; n++) await store.append('c', [say('small')], room);
		for (let n = 6; n <= 9; n++) await store.append('c', [say('large '.repeat(2_000))], room);
		expect(await readdir(join(root, 'c', 'archive'))).toEqual([
			'000000001-000000002.jsonl',
			'000000003-000000004.jsonl',
			'000000005-000000006.jsonl.gz',
			'000000007-000000008.jsonl.gz',
		]);
	});

	it('grow by what is written, and what is there is not written again', async () => {
		const { store, file } = await open();
		await store.create(sampleHead('c'));
		await store.append(
			'c',
			Array.from({ length: 100 }, () => say('large '.repeat(100))),
		);
		const before = await readFile(file('messages.jsonl'), 'utf8');
		await store.append('c', [say('small')]);
		const after = await readFile(file('messages.jsonl'), 'utf8');
		expect(after.startsWith(before)).toBe(true);
		expect(after.length - before.length).toBeLessThan(200);
	});

	it('lie in folders with names that every file system keeps apart, below a path of any length', async () => {
		const { store, root, again } = await open('a-folder-with-a-long-name-'.repeat(8));
		for (const id of ['Case', 'case', 'a/b', '..', 'ü', 'x'.repeat(300)]) await store.create(sampleHead(id));
		const names = (await readdir(root)).filter((name) => !name.startsWith('.'));
		expect(new Set(names.map((name) => name.toLowerCase())).size).toBe(6);
		for (const name of names) expect(name).toMatch(/^[a-z0-9%~._-]{1,120}$/);
		expect((await again().read('a/b'))?.head.id).toBe('a/b');
	});

	it('of the context stay few, however often a value is set', async () => {
		const { store, file, again } = await open();
		await store.create(sampleHead('c'));
		for (let n = 0; n < 450; n++) await store.setContext('c', `k${n % 3}`, '*', { value: n, at: n });
		const lines = (await readFile(file('context.jsonl'), 'utf8')).split('\n').length;
		expect(lines).toBeLessThan(205);
		const entries = await again().context('c');
		expect(entries.map(({ key, value }) => `${key}=${value}`).sort()).toEqual(['k0=447', 'k1=448', 'k2=449']);
		const last = Number(entries.find(({ key }) => key === 'k2')?.version);
		const next = { version: String(last + 1) };
		expect(await store.setContext('c', 'k0', '*', { value: 0, at: 500 })).toMatchObject(next);
	});

	it('of a version that counted from 1 for each conversation are read and written', async () => {
		const { store, file, again } = await open();
		await store.create(sampleHead('c'));
		await store.append('c', [say('one')]);
		await writeFile(file('conversation.json'), JSON.stringify({ version: 1, head: sampleHead('c') }));
		const [log = ''] = (await readFile(file('messages.jsonl'), 'utf8')).split('\n');
		await writeFile(file('context.jsonl'), `${log}\n{"version":1,"key":"k","value":"old","at":1}\n`);
		const other = again();
		expect(await other.read('c')).toMatchObject({ version: '1' });
		expect(await other.write('c', '1', sampleHead('c', { title: 'new' }))).toBe(true);
		expect(await other.setContext('c', 'k', '1', { value: 'new', at: 2 })).toEqual({ version: '2', archived: [] });
		expect((await again().context('c')).map(({ value }) => value)).toEqual(['new']);
	});

	it('of a context without values are read, also as older versions wrote them', async () => {
		const { store, file, again } = await open();
		await store.create(sampleHead('c'));
		await store.eraseAuthor('c', 'bob');
		expect(JSON.parse(await readFile(file('context.json'), 'utf8')).version).toBeGreaterThan(0);
		await writeFile(file('context.json'), '{"version":0,"entries":[]}');
		const other = again();
		expect(await other.context('c')).toEqual([]);
		expect(await other.setContext('c', 'k', undefined, { value: 1, at: 1 })).toMatchObject({ archived: [] });
		expect((await again().context('c')).map(({ value }) => value)).toEqual([1]);
	});

	it('are read anew when they were rewritten, also where the new file has the number of the old one', async () => {
		const { store, file, again } = await open();
		await store.create(sampleHead('c'));
		await store.append('c', [say('one')]);
		const other = again();
		await other.append('c', [say('two')]);
		const [header = '', ...lines] = (await readFile(file('messages.jsonl'), 'utf8')).split('\n');
		const rewritten = header.replace(/[\da-f]/g, '0');
		// Written in place: the same number, and longer than what was read.
		const text = lines.join('\n').replace('"one"', '"one, and more"').replace('"two"', '"two, and more"');
		await writeFile(file('messages.jsonl'), `${rewritten}\n${text}`);
		for (const each of [store, other]) {
			const contents = (await each.messages('c', ALL)).map(({ content }) => content);
			expect(contents).toEqual(['one, and more', 'two, and more']);
		}
		expect(await store.append('c', [say('three')])).toBe(3);
	});

	it('of a deleted conversation are gone, also when the process ended while it deleted', async () => {
		const { store, root, again } = await open();
		await store.create(sampleHead('c'));
		await store.delete('c');
		await writeFile(join(root, '.deleted-left'), 'left');
		expect(await again().read('c')).toBeUndefined();
		expect((await readdir(root)).filter((name) => !/^\.(processes|create)/.test(name))).toEqual([]);
	});

	it('of a conversation that was never finished are gone once nobody is at it', async () => {
		const { store, root, again } = await open();
		await store.create(sampleHead('c'));
		const [alive = ''] = (await readdir(join(root, '.processes'))).filter((name) => name.endsWith('.sock'));
		const ended = '00000000-0000-4000-8000-000000000000';
		const creating = `.new-${alive.replace('.sock', '')}~1`;
		for (const name of [creating, `.new-${ended}~1`, `.new-${ended}`]) await mkdir(join(root, name));
		await again().read('c');
		expect((await readdir(root)).filter((name) => name.startsWith('.new'))).toEqual([creating]);
	});
});

describe('a torn file', () => {
	it('counts up to its last whole line, and what is torn is kept aside', async () => {
		const { store, file, root, again } = await open();
		await store.create(sampleHead('c'));
		await store.append('c', [say('one')]);
		await appendFile(file('messages.jsonl'), '{"number":2,"role":"user","cont');
		const other = again();
		expect((await other.messages('c', ALL)).map(({ content }) => content)).toEqual(['one']);
		expect(await other.append('c', [say('two')])).toBe(2);
		expect((await store.messages('c', ALL)).map(({ content }) => content)).toEqual(['one', 'two']);
		const [torn = ''] = (await readdir(join(root, 'c'))).filter((name) => name.includes('.torn-'));
		expect(await readFile(file(torn), 'utf8')).toBe('{"number":2,"role":"user","cont');
	});

	it('in the middle is corrupt, stays as it is, and is repaired with what is left', async () => {
		const { store, file, root, again } = await open();
		await store.create(sampleHead('c'));
		for (const text of ['one', 'two', 'three']) await store.append('c', [say(text)]);
		const text = await readFile(file('messages.jsonl'), 'utf8');
		const damaged = text.replace('"two"', '"two');
		await writeFile(file('messages.jsonl'), damaged);
		const other = again();
		await expect(other.append('c', [say('four')])).rejects.toEqual(failing('corrupt'));
		await expect(other.messages('c', ALL)).rejects.toThrow(/messages.jsonl is damaged: line 3 is not what was written/);
		expect(await readFile(file('messages.jsonl'), 'utf8')).toBe(damaged);
		expect(await other.repair('c')).toEqual(['messages.jsonl']);
		expect(await other.repair('c')).toEqual([]);
		expect((await other.messages('c', ALL)).map(({ content }) => content)).toEqual([
			'one',
			expect.stringContaining('was damaged'),
			'three',
		]);
		expect(await other.append('c', [say('four')])).toBe(4);
		const [aside = ''] = (await readdir(join(root, 'c'))).filter((name) => name.includes('.corrupt-'));
		expect(await readFile(file(aside), 'utf8')).toBe(damaged);
	});

	it('of very many messages is repaired', { timeout: 60_000 }, async () => {
		const { store, file, again } = await open();
		await store.create(sampleHead('c'));
		const many = Array.from({ length: 130_000 }, (_, n) => say(`${n}`));
		await store.append('c', many);
		await appendFile(file('messages.jsonl'), 'damaged\n');
		const other = again();
		await expect(other.messages('c', ALL)).rejects.toEqual(failing('corrupt'));
		expect(await other.repair('c')).toEqual(['messages.jsonl']);
		expect(await other.messages('c', { limit: 1 })).toMatchObject([{ number: 130_000, content: '129999' }]);
	});

	it('of any kind is repaired, and what is whole is not touched', async () => {
		const { store, file, again } = await open();
		await store.create(sampleHead('c', { title: 'First' }));
		const version = (await store.read('c'))?.version ?? '';
		await store.write('c', version, sampleHead('c', { title: 'Second' }));
		for (let n = 1; n <= 8; n++) await store.append('c', [say(`${n}`)], { keep: 4, batch: 2 });
		for (const key of ['a', 'b']) await store.setContext('c', key, '*', { value: key, at: 1 });
		for (const title of ['d1', 'd2']) {
			const evidence = { messages: [], context: [] };
			await store.addDiscovery('c', {
				kind: 'finding',
				title,
				description: '',
				relevance: 1,
				at: 1,
				evidence,
				resolves: [],
			});
		}
		await truncate(file('conversation.json'), 40);
		await writeFile(file('archive/000000003-000000004.jsonl'), 'nonsense\n');
		await writeFile(file('context.jsonl'), (await readFile(file('context.jsonl'), 'utf8')).replace('\n', '\n{}\n'));
		await writeFile(
			file('discoveries.jsonl'),
			(await readFile(file('discoveries.jsonl'), 'utf8')).replace('"d1"', 'd1'),
		);
		const other = again();
		await expect(other.read('c')).rejects.toEqual(failing('corrupt'));
		const repaired = await other.repair('c');
		expect(repaired).toEqual(expect.arrayContaining(['conversation.json', 'context.jsonl', 'discoveries.jsonl']));
		expect((await other.read('c'))?.head.title).toBe('First');
		expect(await other.write('c', version, sampleHead('c'))).toBe(false);
		expect((await other.messages('c', ALL)).map(({ number }) => number)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
		expect((await other.messages('c', { before: 4, limit: 2 })).every(({ metadata }) => metadata?.['lost'])).toBe(
			false,
		);
		expect((await other.context('c')).map(({ key }) => key).sort()).toEqual(['a', 'b']);
		expect((await other.discoveries('c', ALL)).map(({ title }) => title)).toEqual(['d2']);
		expect(await other.repair('c')).toEqual([]);
	});

	it('leaves nothing of what a person wrote once it is erased', async () => {
		const { store, file, root } = await open();
		await store.create(sampleHead('c'));
		for (let n = 1; n <= 6; n++) await store.append('c', [say('private')], { keep: 2, batch: 2 });
		await store.setContext('c', 'k', '*', { value: 'private', at: 1, by: 'alice' });
		await store.setContext('c', 'k', '*', { value: 'other', at: 1, by: 'bob' });
		await appendFile(file('messages.jsonl'), '{"number":7,"content":"private');
		await store.append('c', [say('private')]);
		await store.eraseAuthor('c', 'alice');
		for (const name of await readdir(join(root, 'c'), { recursive: true })) {
			if ((await stat(file(name)).catch(() => undefined))?.isFile()) {
				expect(await readFile(file(name), 'utf8'), name).not.toContain('private');
			}
		}
	});
});

it('a damaged head does not hide what a person wrote: it is named, and erased once it is repaired', async () => {
	const { store, file } = await open();
	for (const id of ['c', 'd']) await store.create(sampleHead(id, { owner: 'carol' }));
	await store.append('c', [say('private')]);
	await store.setContext('c', 'k', '*', { value: 'private', at: 1, by: 'bob' });
	await writeFile(file('conversation.json'), '{');
	const conversations = new Conversations(store);
	onTestFinished(() => conversations.close());
	const { persons } = conversations;
	await expect(persons.erase('alice')).rejects.toEqual(failing('corrupt'));
	await expect(persons.erase('alice')).rejects.toThrow(/1 with a damaged head/);
	expect(await store.repair('c')).toEqual(['conversation.json']);
	expect(await persons.erase('alice')).toMatchObject({ contributions: 1 });
	expect(await persons.erase('bob')).toMatchObject({ contributions: 1 });
	expect(await store.messages('c', ALL)).toMatchObject([{ content: '[erased]' }]);
	expect(await store.context('c')).toEqual([]);
});

it('a person who was erased is in no file, whatever was left by writers that did not end', async () => {
	const { store, root, again } = await open();
	const conversations = new Conversations(store);
	onTestFinished(() => conversations.close());
	const hers = await conversations.of('alice').create({ id: 'c', title: 'C' });
	await hers.setMember('private', 'writer');
	const his = conversations.of('private').at('c');
	await his.setContext('private key', 1);
	await his.addDiscovery({ title: 'private', context: ['private key'] });
	await mkdir(join(root, 'c', 'archive'));
	const left = '.000000001-000000002.jsonl.gz.00000000-0000-4000-8000-000000000000';
	await writeFile(join(root, 'c', 'archive', left), 'private');
	await conversations.persons.erase('private');
	for (const name of await readdir(join(root, 'c'), { recursive: true })) {
		const path = join(root, 'c', name);
		if ((await stat(path)).isFile()) expect(await readFile(path, 'utf8'), name).not.toContain('private');
	}
	await writeFile(join(root, 'c', 'conversation.json'), '{');
	expect(await again().repair('c')).toEqual(['conversation.json']);
	expect((await again().read('c'))?.head.owner).toBe('alice');
});

describe('a lock', () => {
	it('of a process that has ended is free, also when another ended while it freed the lock', async () => {
		const { store, file, root } = await open();
		await store.create(sampleHead('c'));
		await symlink('a-process-that-ended:1', file('.lock'));
		await symlink('another-that-ended:1', file('.lock.break'));
		expect(await store.append('c', [say('one')])).toBe(1);
		expect((await readdir(join(root, 'c'))).filter((name) => name.startsWith('.lock'))).toEqual([]);
	});

	it('that another process keeps for too long is an error that says so', async () => {
		const { store, root, again } = await open();
		await store.create(sampleHead('c'));
		const other = again();
		await other.read('c');
		const names = (await readdir(join(root, '.processes'))).filter((name) => name.endsWith('.sock'));
		expect(names).toHaveLength(2);
		const hurried = new FileConversationStore(root, { lockTimeoutMs: 30 });
		onTestFinished(() => hurried.close());
		await symlink(`${names[0]?.replace('.sock', '')}:1`, join(root, 'c', '.lock'));
		await expect(hurried.append('c', [say('one')])).rejects.toEqual(failing('unavailable'));
		expect(await hurried.messages('c', ALL)).toEqual([]);
		await rm(join(root, 'c', '.lock'));
		expect(await hurried.append('c', [say('one')])).toBe(1);
	});
});

it('a closed store says that it is closed', async () => {
	const { store } = await open();
	await store.create(sampleHead('c'));
	await store.close();
	await store.close();
	await expect(store.read('c')).rejects.toEqual(failing('closed'));
});
