import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Conversations, FileConversationStore } from '@holdfast/conversations';
import { SqliteConversationStore } from '@holdfast/session-manager-sqlite/conversations';
import { describe, expect, onTestFinished, test } from 'vitest';
import { holdfast, type Outcome } from './support/command-line.ts';

describe.each([
	['a folder', 'conversations', (path: string) => new FileConversationStore(path)],
	['a SQLite file', 'conversations.db', (path: string) => new SqliteConversationStore(path)],
])('conversations in %s', (_, name, open) => {
	/** A conversation of Ann's with one message, and a way to ask for it. */
	async function written(): Promise<(...args: string[]) => Promise<Outcome>> {
		const folder = mkdtempSync(join(tmpdir(), 'holdfast-cli-'));
		onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
		const store = open(join(folder, name));
		const conversations = new Conversations(store);
		const conversation = await conversations.of('ann').create({ id: 'leak', title: 'A memory leak' });
		await conversation.addMessages([{ role: 'user', content: 'It grows at night.' }]);
		conversations.close();
		await store.close();
		return (...args) => holdfast([...args, '--conversations', name], { folder });
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
	const args = ['conversations', 'list', '--conversations', 'nowhere'];
	for (const _ of [1, 2]) expect(await holdfast(args)).toMatchObject({ code: 3, out: '' });
});
