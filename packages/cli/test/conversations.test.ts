import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Conversations, FileConversationStore } from '@holdfast/conversations';
import { postgresSchemaSql } from '@holdfast/session-manager-postgres';
import { PostgresConversationStore } from '@holdfast/session-manager-postgres/conversations';
import { SqliteConversationStore } from '@holdfast/session-manager-sqlite/conversations';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { PostgresServer } from '../../../test/support/postgres/postgres-server.ts';
import { holdfast, type Outcome } from './support/command-line.ts';

let server: PostgresServer;
beforeAll(async () => {
	server = await PostgresServer.create();
});
afterAll(() => server?.dispose());

describe.each([
	['a folder', () => 'conversations', (path: string) => new FileConversationStore(path)],
	['a SQLite file', () => 'conversations.db', (path: string) => new SqliteConversationStore(path)],
	[
		'PostgreSQL',
		() => server.url,
		async () => {
			await server.query('drop schema if exists holdfast cascade');
			await server.query(postgresSchemaSql());
			return new PostgresConversationStore(server.url);
		},
	],
])('conversations in %s', (_, where, open) => {
	/** A conversation of Ann's with one message, and a way to ask for it. */
	async function written(): Promise<(...args: string[]) => Promise<Outcome>> {
		const folder = mkdtempSync(join(tmpdir(), 'holdfast-cli-'));
		onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
		const store = await open(join(folder, where()));
		const conversations = new Conversations(store);
		const conversation = await conversations.of('ann').create({ id: 'leak', title: 'A memory leak' });
		await conversation.addMessages([{ role: 'user', content: 'It grows at night.' }]);
		conversations.close();
		await store.close();
		return (...args) => holdfast([...args, '--conversations', where()], { folder });
	}

	test('are listed, and shown without what was said', async () => {
		const on = await written();
		expect((await on('conversations', 'list')).out).toMatch(/^leak +A memory leak +ann +active +\d+ s +\d+ s$/m);
		const { conversations } = JSON.parse((await on('conversations', 'list', '--json', '--principal', 'bob')).out);
		expect(conversations).toEqual([]);
		const { code, out } = await on('conversations', 'show', 'leak', '--json');
		expect({ code, shown: JSON.parse(out) }).toMatchObject({
			code: 0,
			shown: { owner: 'ann', holds: { messages: 1 } },
		});
		expect(out).not.toContain('night');
		expect(await on('conversations', 'show', 'nothing')).toMatchObject({ code: 1, out: '' });
	});

	test('are exported as JSON and as Markdown, and the audit says by whom', async () => {
		const on = await written();
		const { out, note } = await on('conversations', 'export', 'leak', '--by', 'olga', '--reason', 'asked for');
		expect(JSON.parse(out)).toMatchObject({ id: 'leak', messages: [{ content: 'It grows at night.' }] });
		expect(JSON.parse(note)).toMatchObject({ action: 'export', principal: 'ann', by: 'olga', reason: 'asked for' });
		expect((await on('conversations', 'export', 'leak', '--markdown')).out).toMatch(
			/^# A memory leak\n[\s\S]*It grows/,
		);
	});

	test('are erased for everybody once it is confirmed, and the audit says by whom', async () => {
		const on = await written();
		expect(await on('conversations', 'erase', 'leak')).toMatchObject({
			code: 2,
			note: expect.stringContaining('--yes'),
		});
		const erased = await on('conversations', 'erase', 'leak', '--yes', '--by', 'olga', '--json');
		expect({ code: erased.code, ...JSON.parse(erased.out) }).toEqual({ code: 0, conversation: 'leak', erased: true });
		const line = { action: 'erase', principal: 'ann', data: 'conversation leak', by: 'olga', done: true };
		expect(JSON.parse(erased.note)).toMatchObject(line);
		expect(await on('conversations', 'show', 'leak')).toMatchObject({ code: 1 });
		expect(await on('conversations', 'erase', 'leak', '--yes')).toMatchObject({ code: 1, out: '' });
	});
});

test('what is damaged is repaired, or erased, in a folder, and repair is refused elsewhere', async () => {
	const folder = mkdtempSync(join(tmpdir(), 'holdfast-cli-'));
	onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
	const store = new FileConversationStore(join(folder, 'files'));
	const conversations = new Conversations(store);
	for (const id of ['c', 'd']) {
		const conversation = await conversations.of('ann').create({ id, title: 'Damaged' });
		for (const content of ['one', 'two']) await conversation.addMessage({ role: 'user', content });
	}
	conversations.close();
	await store.close();
	const database = new SqliteConversationStore(join(folder, 'file.db'));
	await database.read('c');
	await database.close();
	const on = (verb: string, id: string, place = 'files', ...flags: string[]) =>
		holdfast(['conversations', verb, id, ...flags, '--conversations', place], { folder });
	const messages = join(folder, 'files', 'c', 'messages.jsonl');
	writeFileSync(messages, readFileSync(messages, 'utf8').replace('"one"', '"one'));
	expect(await on('export', 'c')).toMatchObject({ code: 1, note: expect.stringContaining('is damaged') });
	expect(await on('repair', 'c')).toEqual({ code: 0, out: 'c: repaired messages.jsonl\n', note: '' });
	expect((await on('export', 'c')).out).toContain('"two"');
	const again = await on('repair', 'c', 'files', '--json');
	expect(JSON.parse(again.out)).toEqual({ conversation: 'c', repaired: [] });
	for (const id of ['c', 'd']) writeFileSync(join(folder, 'files', id, 'conversation.json'), '{');
	expect(await on('repair', 'c')).toMatchObject({ code: 0, out: 'c: repaired conversation.json\n' });
	expect(await on('erase', 'd', 'files', '--yes')).toMatchObject({ code: 0, out: 'erased conversation: d\n' });
	for (const verb of ['repair', 'show']) expect(await on(verb, 'd')).toMatchObject({ code: 1, out: '' });
	for (const place of ['file.db', server.url])
		expect(await on('repair', 'c', place)).toMatchObject({
			code: 2,
			note: expect.stringMatching(/^holdfast: repair is for/),
		});
});

test('a place without conversations is not made', async () => {
	const args = ['conversations', 'list', '--conversations'];
	for (const _ of [1, 2]) {
		expect(await holdfast([...args, 'nowhere'])).toMatchObject({ code: 3, out: '' });
		expect(await holdfast([...args, server.url, '--schema', 'nowhere'])).toMatchObject({ code: 3, out: '' });
	}
	expect(await server.query(`select from pg_namespace where nspname = 'nowhere'`)).toEqual([]);
	expect(await holdfast([...args, 'redis://localhost'])).toMatchObject({ code: 2, out: '' });
});
