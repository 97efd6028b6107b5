import { readFileSync } from 'node:fs';
import { redisSessionManager } from '@holdfast/session-manager-redis';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { RedisServer } from '../../../test/support/redis/redis-server.ts';
import { shortHash } from '../src/short-hash.ts';
import { openSession } from './support/client.ts';
import { holdfast } from './support/command-line.ts';
import { startNode } from './support/node.ts';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
const principal = 'https://id.example ann';
let redis: RedisServer;

beforeAll(async () => {
	redis = await RedisServer.create();
	return () => redis.dispose();
});

/** The words of a command in the README, without its comment and redirection. */
function wordsOf(line: string): string[] {
	const command = line.replace(/ (#|>) .*$/, '').trim();
	return [...command.matchAll(/'([^']*)'|\S+/g)].map(([word, quoted]) => quoted ?? word);
}

test('every command of the quick start in the README works', async () => {
	const sessionManager = redisSessionManager(redis.url);
	onTestFinished(() => sessionManager.close());
	const person = { iss: 'https://id.example', sub: 'ann' };
	const node = await startNode({
		sessionManager,
		keepEndedMs: 60_000,
		authenticate: () => ({ token: 'token', clientId: 'client', scopes: [], extra: person }),
	});
	const session = shortHash(await openSession(node.url));
	const [, block = ''] = /## Quick start\n\n```sh\n(.*?)```/s.exec(readme) ?? [];
	const commands = block.split('\n').filter((line) => line.startsWith('holdfast '));
	expect(commands).toHaveLength(9);
	for (const line of commands) {
		const args = wordsOf(line)
			.slice(1)
			.map((word) => (word === '4f1c09a2be77' ? session : word));
		const { code, out, note } = await holdfast(args, {
			env: { HOLDFAST_STORE: redis.url, HOLDFAST_AUDIT_LOG: '/dev/null' },
		});
		const expected = args[0] === 'people' ? expect.stringMatching(/^holdfast: Conversations are not .*\n$/) : '';
		expect({ line, code, note }).toEqual({ line, code: 0, note: expected });
		if (args[0] === 'people') expect(args[2]).toBe(principal);
		// The session was ended before, and is kept.
		if (args[1] === 'export') expect(JSON.parse(out).sessions).toHaveLength(1);
		if (args[1] === 'erase') expect(out).toBe('erased sessions: 1\n');
	}
});

test('the README names every setting', async () => {
	for (const name of [
		'store',
		'url',
		'token',
		'schema',
		'listenUrl',
		'keyPrefix',
		'maxSessions',
		'auditLog',
		'watchMs',
	])
		expect(readme).toContain(`\`${name}\``);
});
