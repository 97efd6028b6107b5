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

test('the console ends a session on every node, and leaves who and why in the audit log', async () => {
	const start = () => {
		const sessionManager = redisSessionManager(redis.url);
		onTestFinished(() => sessionManager.close());
		return startNode({ sessionManager });
	};
	const [one, other] = [await start(), await start()];
	await ready([one, other]);
	const id = await openSession(one.url);
	expect(await ask(other.url, id, 'ping')).toBe(200);
	const folder = mkdtempSync(join(tmpdir(), 'holdfast-console-'));
	onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
	let interrupt = () => {};
	const interrupted = new Promise<void>((resolve) => {
		interrupt = resolve;
	});
	let address = '';
	const running = holdfast(
		['console', '--actions', 'suspend,end', '--by', 'ann', '--store', redis.url, '--audit-log', join(folder, 'audit')],
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
	const page = new URL(`sessions/${shortHash(id)}`, given);
	expect((await fetch(page)).status).toBe(401);
	const text = await (await fetch(page, { headers: { cookie } })).text();
	const [, token = ''] = /name="token" value="([^"]+)"/.exec(text) ?? [];
	const form = new URLSearchParams({ token, reason: 'the account was closed' });
	const headers = { cookie, origin: page.origin };
	await fetch(`${page}/end`, { method: 'POST', headers, body: form });
	for (const { url } of [one, other]) expect(await ask(url, id, 'ping')).toBe(404);
	interrupt();
	expect(await running).toMatchObject({ code: 0, note: '' });
	expect(JSON.parse(readFileSync(join(folder, 'audit'), 'utf8'))).toMatchObject({
		action: 'terminate',
		by: 'ann',
		reason: 'the account was closed',
		session: shortHash(id),
		done: true,
	});
	await expect(fetch(page)).rejects.toThrow();
});

test.each([
	['an action that there is not', ['--actions', 'end,destroy']],
	['a port that is none', ['--port', 'high']],
	['an argument', ['now']],
])('%s is a usage error', async (_, args) => {
	expect(await holdfast(['console', ...args, '--store', redis.url])).toMatchObject({ code: 2, out: '' });
});
