import { mkdtempSync, rmSync } from 'node:fs';
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
