import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { redisSessionManager } from '@holdfast/session-manager-redis';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { RedisServer } from '../../../test/support/redis/redis-server.ts';
import { until } from '../../../test/support/until.ts';
import { shortHash } from '../src/short-hash.ts';
import { ask, openSession } from './support/client.ts';
import { holdfast } from './support/command-line.ts';
import { ready, startNode } from './support/node.ts';

let redis: RedisServer;

beforeAll(async () => {
	redis = await RedisServer.create();
	return () => redis.dispose();
});

/** Opens the console, to end sessions of two nodes. */
async function consoleOf(auditLog: string) {
	const start = () => {
		const sessionManager = redisSessionManager(redis.url);
		onTestFinished(() => sessionManager.close());
		return startNode({ sessionManager });
	};
	const nodes = [await start(), await start()] as const;
	await ready([...nodes]);
	let interrupt = () => {};
	const interrupted = new Promise<void>((resolve) => {
		interrupt = resolve;
	});
	let address = '';
	const running = holdfast(
		['console', '--actions', 'suspend,end', '--by', 'ann', '--store', redis.url, '--audit-log', auditLog],
		{
			out: (text) => {
				address = text.trim();
			},
			interrupted: () => interrupted,
		},
	);
	const given = await until('the console says where it is', () => address || undefined, 20_000);
	const opened = await fetch(given, { redirect: 'manual' });
	const [cookie = ''] = (opened.headers.get('set-cookie') ?? '').split(';');
	const pageOf = (id: string) => new URL(`sessions/${shortHash(id)}`, given);
	const end = async (id: string, reason: string) => {
		const page = pageOf(id);
		const text = await (await fetch(page, { headers: { cookie } })).text();
		const [, token = ''] = /name="token" value="([^"]+)"/.exec(text) ?? [];
		const headers = { cookie, origin: page.origin };
		return fetch(`${page}/end`, { method: 'POST', headers, body: new URLSearchParams({ token, reason }) });
	};
	const stop = () => {
		interrupt();
		return running;
	};
	return { nodes, pageOf, end, stop };
}

test('the console ends a session on every node, and leaves who and why in the audit log', async () => {
	const folder = mkdtempSync(join(tmpdir(), 'holdfast-console-'));
	onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
	const {
		nodes: [one, other],
		...console
	} = await consoleOf(join(folder, 'audit'));
	const id = await openSession(one.url);
	expect(await ask(other.url, id, 'ping')).toBe(200);
	expect((await fetch(console.pageOf(id))).status).toBe(401);
	await console.end(id, 'the account was closed');
	for (const { url } of [one, other]) expect(await ask(url, id, 'ping')).toBe(404);
	expect(await console.stop()).toMatchObject({ code: 0, note: '' });
	expect(JSON.parse(readFileSync(join(folder, 'audit'), 'utf8'))).toMatchObject({
		action: 'terminate',
		by: 'ann',
		reason: 'the account was closed',
		session: shortHash(id),
		done: true,
	});
	await expect(fetch(console.pageOf(id))).rejects.toThrow();
});

test('the console does nothing more once the audit log could not be written', async () => {
	const {
		nodes: [one],
		...console
	} = await consoleOf('/dev/full');
	const [first, second] = [await openSession(one.url), await openSession(one.url)];
	await console.end(first, 'closed');
	expect(await ask(one.url, first, 'ping')).toBe(404);
	expect((await console.end(second, 'closed')).status).toBe(503);
	expect(await ask(one.url, second, 'ping')).toBe(200);
	const { code, note } = await console.stop();
	expect(code).toBe(1);
	expect(JSON.parse(note.split('\n')[0] ?? '')).toMatchObject({ action: 'terminate', session: shortHash(first) });
	expect(note).toContain('The audit log lacks this line');
});

test.each([
	['an action that there is not', ['--actions', 'end,destroy']],
	['a port that is none', ['--port', 'high']],
	['an argument', ['now']],
])('%s is a usage error', async (_, args) => {
	expect(await holdfast(['console', ...args, '--store', redis.url])).toMatchObject({ code: 2, out: '' });
});
