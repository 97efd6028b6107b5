import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Conversations, FileConversationStore } from '@holdfast/conversations';
import { redisSessionManager } from '@holdfast/session-manager-redis';
import { beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { RedisServer } from '../../../test/support/redis/redis-server.ts';
import { ask, openSession } from './support/client.ts';
import { holdfast } from './support/command-line.ts';
import { ready, startNode } from './support/node.ts';

const ann = 'https://id.example ann';
let redis: RedisServer;

beforeAll(async () => {
	redis = await RedisServer.create();
	return () => redis.dispose();
});

beforeEach(async () => {
	await redis.client().flushall();
});

/** A node where Ann has a session, and a folder where she has a conversation and wrote in one of Bob's. */
async function written() {
	const sessionManager = redisSessionManager(redis.url);
	onTestFinished(() => sessionManager.close());
	const node = await startNode({
		sessionManager,
		authenticate: () => ({
			token: 'token',
			clientId: 'client',
			scopes: [],
			extra: { iss: 'https://id.example', sub: 'ann' },
		}),
	});
	await ready([node]);
	const session = await openSession(node.url);
	const folder = mkdtempSync(join(tmpdir(), 'holdfast-cli-'));
	onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
	const store = new FileConversationStore(join(folder, 'conversations'));
	const conversations = new Conversations(store);
	const hers = await conversations.of(ann).create({ id: 'hers', title: 'Hers' });
	await hers.addMessage({ role: 'user', content: 'a word of hers' });
	await hers.addMessage({ role: 'user', content: 'another' });
	const his = await conversations.of('bob').create({ id: 'his', title: 'His' });
	await his.setMember(ann, 'writer');
	await conversations.of(ann).at('his').addMessage({ role: 'user', content: 'for Bob' });
	conversations.close();
	await store.close();
	const on = (...args: string[]) => holdfast(args, { folder, env: { HOLDFAST_STORE: redis.url } });
	/** What is left of her in both conversations. */
	const left = async () => {
		const again = new FileConversationStore(join(folder, 'conversations'));
		const texts = await Promise.all(['hers', 'his'].map((id) => again.messages(id, { limit: 10 })));
		await again.close();
		return texts.map((messages) => messages.map(({ content }) => content));
	};
	return { folder, node, session, on, left };
}

const places = ['--conversations', 'conversations', '--audit-log', 'audit.log'];

test('with --conversations, what is stored of a person is exported and erased there, too', async () => {
	const { folder, node, session, on, left } = await written();
	const exported = await on('people', 'export', ann, ...places, '--reason', 'she asked');
	expect(exported).toMatchObject({ code: 0, note: '' });
	expect(JSON.parse(exported.out)).toMatchObject({
		principal: ann,
		conversations: expect.arrayContaining([
			expect.objectContaining({ id: 'hers' }),
			expect.objectContaining({ id: 'his' }),
		]),
		sessions: [{ status: 'active' }],
		notCovered: [],
	});
	expect(exported.out).toContain('a word of hers');
	const erased = await on('people', 'erase', ann, '--yes', ...places, '--reason', 'she asked');
	expect(erased).toEqual({
		code: 0,
		out: 'erased sessions: 1\nerased conversations: 1\nerased contributions: 1\n',
		note: '',
	});
	expect(await ask(node.url, session, 'ping')).toBe(404);
	expect(await left()).toEqual([[], ['[erased]']]);
	const audit = readFileSync(join(folder, 'audit.log'), 'utf8').trimEnd().split('\n');
	const common = { principal: ann, reason: 'she asked', done: true };
	expect(audit.map((line) => JSON.parse(line))).toMatchObject([
		{ ...common, action: 'export' },
		{ ...common, action: 'export', data: 'conversations' },
		{ ...common, action: 'erase' },
		{ ...common, action: 'erase', data: 'conversations' },
	]);
	const again = await on('people', 'erase', ann, '--yes', ...places, '--json');
	expect(JSON.parse(again.out)).toEqual({
		erased: { sessions: 0, conversations: 0, contributions: 0 },
		notCovered: [],
	});
});

test('without --conversations, text and JSON say that conversations were not covered', async () => {
	const { on, left } = await written();
	const exported = await on('people', 'export', ann, '--audit-log', 'audit.log');
	expect(JSON.parse(exported.out)).toMatchObject({ sessions: [{}], notCovered: ['conversations'] });
	expect(exported.note).toMatch(/^holdfast: Conversations are not in the export: .*--conversations/);
	const erased = await on('people', 'erase', ann, '--yes', '--audit-log', 'audit.log');
	expect(erased).toMatchObject({ code: 0, out: 'erased sessions: 1\n' });
	expect(erased.note).toMatch(/^holdfast: Conversations are not erased: .*--conversations/);
	const json = await on('people', 'erase', ann, '--yes', '--json', '--audit-log', 'audit.log');
	expect(JSON.parse(json.out)).toEqual({ erased: { sessions: 0 }, notCovered: ['conversations'] });
	expect(await left()).toEqual([['a word of hers', 'another'], ['for Bob']]);
});

test('where no store of sessions is named, conversations are erased, and it says that sessions were not', async () => {
	const { folder, left } = await written();
	const on = (...args: string[]) => holdfast(args, { folder });
	const exported = await on('people', 'export', ann, ...places);
	expect(JSON.parse(exported.out)).toMatchObject({ principal: ann, notCovered: ['sessions'] });
	expect(exported.note).toContain('Sessions, handles and tasks are not in the export');
	const erased = await on('people', 'erase', ann, '--yes', ...places);
	expect(erased).toMatchObject({ code: 0, out: 'erased conversations: 1\nerased contributions: 1\n' });
	expect(erased.note).toContain('Sessions, handles and tasks are not erased');
	expect(await left()).toEqual([[], ['[erased]']]);
	expect(await on('people', 'erase', ann, '--yes')).toMatchObject({ code: 2 });
});

test('what could not be exported or erased is named, with exit code 1, and the rest is', async () => {
	const { folder, node, session, on } = await written();
	const file = join(folder, 'conversations', 'his', 'messages.jsonl');
	writeFileSync(file, `{"broken\n${readFileSync(file, 'utf8')}`);
	const exported = await on('people', 'export', ann, ...places);
	expect(exported).toMatchObject({ code: 1, note: expect.stringMatching(/not in the export: "his"/) });
	expect(JSON.parse(exported.out)).toMatchObject({ damaged: ['his'], conversations: [{ id: 'hers' }] });
	const erased = await on('people', 'erase', ann, '--yes', ...places);
	expect(erased).toMatchObject({ code: 1, out: '' });
	expect(erased.note).toMatch(/^holdfast: The rest is erased, but not these conversations: "his"\. Repair/m);
	expect(await ask(node.url, session, 'ping')).toBe(404);
	const audit = readFileSync(join(folder, 'audit.log'), 'utf8').trimEnd().split('\n');
	expect(JSON.parse(audit.at(-1) ?? '')).toMatchObject({ action: 'erase', data: 'conversations', done: false });
});

test.each([
	['nodes', '--conversations'],
	['sessions list', '--conversations'],
	['sessions show x', '--audit-log'],
	['sessions end x', '--url'],
	['people erase x --yes', '--url'],
	['people export x', '--max-sessions'],
	['conversations list', '--store'],
	['conversations show x', '--audit-log'],
	['doctor', '--conversations'],
	['doctor', '--audit-log'],
	['migrate', '--conversations'],
])('%s does not use %s, and refuses it', async (command, flag) => {
	const words = command.split(' ');
	const { code, out, note } = await holdfast([...words, flag, '7'], { env: { HOLDFAST_STORE: redis.url } });
	expect({ code, out }).toEqual({ code: 2, out: '' });
	expect(note).toContain(`${flag} is not for `);
});
