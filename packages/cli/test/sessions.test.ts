import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { redisSessionManager } from '@holdfast/session-manager-redis';
import type { HttpTransportOptions } from '@holdfast/transport-http';
import { beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { RedisServer } from '../../../test/support/redis/redis-server.ts';
import { ask, openSession } from './support/client.ts';
import { holdfast, type Outcome } from './support/command-line.ts';
import { type Node, ready, startNode } from './support/node.ts';

let redis: RedisServer;

beforeAll(async () => {
	redis = await RedisServer.create();
	return () => redis.dispose();
});

beforeEach(async () => {
	await redis.client().flushall();
});

/** Two nodes on the Redis; both are ready. */
async function twoNodes(options: HttpTransportOptions = {}): Promise<[Node, Node]> {
	const start = () => {
		const sessionManager = redisSessionManager(redis.url);
		onTestFinished(() => sessionManager.close());
		return startNode({ sessionManager, ...options });
	};
	const nodes: [Node, Node] = [await start(), await start()];
	await ready(nodes);
	return nodes;
}

function on(...args: string[]): Promise<Outcome> {
	return holdfast(args, { env: { HOLDFAST_STORE: redis.url } });
}

function hashOf(id: string): string {
	return createHash('sha256').update(id).digest('hex').slice(0, 12);
}

/** Whoever sends a token is the person of that name. */
const authenticated: HttpTransportOptions = {
	authenticate: (request) => {
		const token = request.header('authorization')?.replace('Bearer ', '');
		if (token === undefined) return undefined;
		return { token, clientId: 'client', scopes: [], extra: { iss: 'https://id.example', sub: token } };
	},
};

test('sessions are listed with their client and status, by hash and never by id', async () => {
	const [one] = await twoNodes();
	const id = await openSession(one.url, { name: 'inspector' });
	const { code, out, note } = await on('sessions', 'list');
	expect({ code, note }).toEqual({ code: 0, note: '' });
	expect(out.split('\n')[0]).toMatch(/^SESSION +CLIENT +PRINCIPAL +REVISION +STATUS +AGE +UNUSED$/);
	expect(out.split('\n')[1]).toMatch(
		new RegExp(`^${hashOf(id)} +inspector 1.0 +– +2025-11-25 +active +\\d+ s +\\d+ s$`),
	);
	expect(out).not.toContain(id);
});

test('tasks, which a store keeps beside sessions, are none', async () => {
	const manager = redisSessionManager(redis.url);
	onTestFinished(() => manager.close());
	const now = Date.now();
	const common = { protocolVersion: '2026-07-28', initializeParams: {}, serverCapabilities: {}, createdAt: now };
	await manager.info.create({ ...common, id: 'task 1', kind: 'task', lastUsedAt: now, endsAt: now + 60_000 });
	expect(JSON.parse((await on('sessions', 'list', '--json')).out)).toEqual({ sessions: [], left: 0 });
	for (const named of ['task 1', hashOf('task 1')]) {
		for (const verb of ['show', 'end']) expect((await on('sessions', verb, named)).code).toBe(1);
	}
	expect(await manager.info.read('task 1')).toBeDefined();
});

test('with --json there is nothing but JSON on standard output', async () => {
	const [one] = await twoNodes();
	const ids = await Promise.all([openSession(one.url), openSession(one.url)]);
	const { out } = await on('sessions', 'list', '--json', '--limit', '1');
	const { sessions, left } = JSON.parse(out);
	expect(sessions).toMatchObject([{ client: { name: 'client' }, status: 'active', transport: 'http' }]);
	expect(left).toBe(1);
	for (const id of ids) expect(out).not.toContain(id);
});

test('what a client calls itself cannot act on the terminal', async () => {
	const [one] = await twoNodes();
	await openSession(one.url, { name: '\u001b[2Jevil\u202e\nSESSION' });
	const { out } = await on('sessions', 'list');
	expect(out).toContain('evil');
	expect(out.split('\n')).toHaveLength(3);
	for (const control of ['\u001b', '\u202e']) expect(out).not.toContain(control);
});

test('one session is shown by its hash or its id, without values of its state', async () => {
	const [one] = await twoNodes();
	const id = await openSession(one.url);
	const manager = redisSessionManager(redis.url);
	onTestFinished(() => manager.close());
	await manager.info.writeState(id, 'secret', '*', '"a private value"');
	await manager.info.addSubscription(id, 'file:///report.md');
	for (const given of [id, hashOf(id)]) {
		const { code, out } = await on('sessions', 'show', given, '--json');
		expect(code).toBe(0);
		expect(JSON.parse(out)).toMatchObject({
			session: hashOf(id),
			subscriptions: ['file:///report.md'],
			state: { secret: { bytes: 17 } },
		});
		expect(out).not.toContain('private');
		expect(out).not.toContain(id);
	}
	expect((await on('sessions', 'show', hashOf(id))).out).toContain('file:///report.md');
	expect(await on('sessions', 'show', 'nobody')).toMatchObject({ code: 1, out: '' });
});

test('a session whose id looks like a flag is found by it', async () => {
	const ids = ['-begins-with-one-dash', '--begins-with-two', '--json-too'];
	const [one] = await twoNodes({ getSessionId: () => ids.shift() ?? 'another-session' });
	for (const id of [...ids]) {
		await openSession(one.url);
		for (const args of [[id], [id, '--json'], ['--json', '--', id]])
			expect(await on('sessions', 'show', ...args)).toMatchObject({
				code: 0,
				out: expect.stringContaining(hashOf(id)),
			});
	}
	expect(await on('sessions', 'show', '--json')).toMatchObject({ code: 2 });
});

test('a session that is ended is ended on every node', async () => {
	const [one, other] = await twoNodes({ keepEndedMs: 60_000 });
	const [byHash, byId] = [await openSession(one.url), await openSession(other.url)];
	expect(await ask(other.url, byHash, 'ping')).toBe(200);
	for (const given of [hashOf(byHash), byId]) {
		expect(await on('sessions', 'end', given, '--reason', 'the account was closed')).toMatchObject({ code: 0 });
	}
	for (const { url, transport } of [one, other]) {
		expect(transport.stats().sessions).toBe(0);
		for (const id of [byHash, byId]) expect(await ask(url, id, 'ping')).toBe(404);
	}
	const shown = await on('sessions', 'show', byId, '--json');
	expect(JSON.parse(shown.out)).toMatchObject({ status: 'ended', reason: 'the account was closed' });
	expect(await on('sessions', 'end', byId)).toMatchObject({ code: 1 });
});

test('a session whose id is stored hashed is found by the id of its client', async () => {
	const [one, other] = await twoNodes({ hashSessionIds: true });
	const id = await openSession(one.url);
	expect(await on('sessions', 'end', id)).toMatchObject({ code: 0 });
	expect(await ask(other.url, id, 'ping')).toBe(404);
});

test('a session that is suspended leaves the memory of every node, and resumes', async () => {
	const [one, other] = await twoNodes();
	const id = await openSession(one.url);
	await ask(other.url, id, 'ping');
	expect(await on('sessions', 'suspend', hashOf(id))).toMatchObject({ code: 0 });
	expect([one, other].map(({ transport }) => transport.stats().sessions)).toEqual([0, 0]);
	expect((await on('sessions', 'list', '--status', 'suspended')).out).toContain(hashOf(id));
	expect(await ask(other.url, id, 'ping')).toBe(200);
});

test('what is stored of a person is exported, and erased on every node', async () => {
	const [one, other] = await twoNodes(authenticated);
	const id = await openSession(one.url, { token: 'ann' });
	const kept = await openSession(one.url, { token: 'bob' });
	expect(await ask(other.url, id, 'ping', 'ann')).toBe(200);
	const listed = JSON.parse((await on('sessions', 'list', '--json')).out).sessions;
	const { principal } = listed.find(({ session }: { session: string }) => session === hashOf(id));
	const exported = await on('people', 'export', principal);
	expect(JSON.parse(exported.out)).toMatchObject({ principal, sessions: [{ status: 'active' }] });
	expect(exported.out).not.toContain(id);
	expect(await on('people', 'erase', principal)).toMatchObject({ code: 2, note: expect.stringContaining('--yes') });
	expect(await on('people', 'erase', principal, '--yes')).toMatchObject({ code: 0, out: 'erased sessions: 1\n' });
	expect(await ask(other.url, id, 'ping', 'ann')).toBe(404);
	expect(await ask(other.url, kept, 'ping', 'bob')).toBe(200);
	expect((await on('sessions', 'list', '--principal', principal)).out).not.toContain(hashOf(id));
});

test('the nodes that announce themselves are listed', async () => {
	const { info, close } = redisSessionManager(redis.url);
	onTestFinished(close);
	const node = {
		id: 'node-1',
		version: '1.2.3',
		startedAt: Date.now(),
		state: 'draining',
		counts: { streams: 7 },
	} as const;
	await info.announceNode(node, 15_000);
	const { out } = await on('nodes');
	expect(out.split('\n')[0]).toMatch(/^NODE +STATE +VERSION +ADDRESS +UP +STREAMS$/);
	expect(out).toMatch(/^node-1 +draining +1\.2\.3 +– +\d+ s +7$/m);
	const { nodes } = JSON.parse((await on('nodes', '--json')).out);
	expect(nodes).toMatchObject([{ id: 'node-1', counts: { streams: 7 } }]);
});

test('what operators do is written to the audit log: who, what, when and why', async () => {
	const [one] = await twoNodes();
	const folder = mkdtempSync(join(tmpdir(), 'holdfast-cli-'));
	onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
	const log = join(folder, 'audit.log');
	const id = await openSession(one.url);
	const because = ['--by', 'ann', '--reason', 'idle', '--audit-log', log];
	await on('sessions', 'suspend', id, ...because);
	await on('sessions', 'end', id, ...because);
	await on('people', 'erase', 'nobody', '--yes', '--audit-log', log);
	const text = readFileSync(log, 'utf8');
	expect(text).not.toContain(id);
	const lines = text
		.trimEnd()
		.split('\n')
		.map((line) => JSON.parse(line));
	const common = { at: expect.stringMatching(/^\d{4}-\d\d-\d\dT/), by: 'ann', reason: 'idle', done: true };
	expect(lines).toEqual([
		{ ...common, action: 'suspend', session: hashOf(id) },
		{ ...common, action: 'terminate', session: hashOf(id) },
		{ at: common.at, by: userInfo().username, action: 'erase', principal: 'nobody', done: true },
	]);
	const other = await openSession(one.url);
	const { out, note } = await on('sessions', 'end', other, '--json');
	expect(JSON.parse(out)).toEqual({ session: hashOf(other), ended: true });
	expect(JSON.parse(note)).toMatchObject({ action: 'terminate', session: hashOf(other), done: true });
});

test('nothing is done that the audit log would not show', async () => {
	const [one] = await twoNodes();
	const id = await openSession(one.url);
	const { code, note } = await on('sessions', 'end', id, '--audit-log', '/nowhere/audit.log');
	expect({ code, note }).toEqual({ code: 2, note: expect.stringMatching(/audit log cannot be written/) });
	expect(await ask(one.url, id, 'ping')).toBe(200);
});

test('what is done and cannot be written to the audit log goes to standard error, with exit code 1', async () => {
	const [one] = await twoNodes();
	const id = await openSession(one.url);
	// It can be opened, and is full.
	const full = ['--audit-log', '/dev/full'];
	const ended = await on('sessions', 'end', id, ...full);
	expect(ended).toMatchObject({ code: 1, out: expect.stringContaining('ended: true') });
	const [line = '', reason] = ended.note.split('\n');
	expect(JSON.parse(line)).toMatchObject({ action: 'terminate', session: hashOf(id), done: true });
	expect(reason).toMatch(/^holdfast: The audit log lacks this line, it cannot be written: ENOSPC/);
	expect(await on('people', 'erase', 'nobody', '--yes', ...full)).toMatchObject({ code: 1 });
	// Nobody gets what the log does not show.
	expect(await on('people', 'export', 'nobody', ...full)).toMatchObject({ code: 1, out: '' });
});
