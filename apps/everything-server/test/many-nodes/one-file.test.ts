import { rmSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NodeProcess } from '@holdfast/local-cluster';
import { beforeAll, describe, expect, test } from 'vitest';
import { run } from '../support/server-process.ts';
import { startNode } from './support/cluster.ts';
import { numbers, range, WireSession } from './support/wire-session.ts';

/** How soon a stream is taken over, in milliseconds; a machine that is busy needs some of it. */
const AT_ONCE_MS = 2_000;

let folder = '';
let nodes: readonly NodeProcess[] = [];
beforeAll(async () => {
	folder = await mkdtemp(join(tmpdir(), 'one-file-'));
	const file = { url: join(folder, 'sessions.db') };
	nodes = await Promise.all(range(1, 3).map(() => startNode(file)));
	return async () => {
		await Promise.all(nodes.map((node) => node.kill()));
		rmSync(folder, { recursive: true });
	};
});

/** The node of this number; numbers begin again after the last. */
function at(index: number): NodeProcess {
	const node = nodes[index % nodes.length];
	if (node === undefined) throw new Error('There are no nodes.');
	return node;
}

describe('three processes on one file', () => {
	test('serve every session together: each request goes to another process', async () => {
		const sessions = await Promise.all(range(0, 5).map((n) => WireSession.open(at(n))));
		await Promise.all(
			sessions.map(async (session, n) => {
				const stream = await session.open(at(n + 1));
				await session.result(at(n + 2), 'log_session', { count: 20 });
				await session.result(at(n), 'counter_add', { key: 'cart', by: 2 });
				await session.result(at(n + 1), 'counter_add', { key: 'cart', by: 3 });
				expect(await session.result(at(n + 2), 'state_get', { key: 'cart' })).toEqual({ value: 5 });
				await stream.message(19);
				expect(numbers(stream)).toEqual(range(1, 20));
				expect((await session.end(at(n + 2))).status).toBe(200);
				await stream.ended();
				await expect.poll(() => session.ping(at(n))).toBe(404);
			}),
		);
	});

	test('take the streams of one that was killed over at once, and nothing is lost', async () => {
		const session = await WireSession.open(at(0));
		const stream = await session.open(at(1));
		await session.result(at(2), 'log_session', { count: 3 });
		await stream.message(2);
		await at(1).kill();
		await session.result(at(2), 'log_session', { count: 2 });
		const began = performance.now();
		const next = await session.open(at(0), stream.lastEventId);
		await next.message(1);
		expect(performance.now() - began).toBeLessThan(AT_ONCE_MS);
		await session.result(at(2), 'log_session', { count: 1 });
		await next.message(2);
		expect(next.messages.map(({ message }) => message.params.data.n)).toEqual([1, 2, 1]);
		await at(1).restart();
		expect(await session.ping(at(1))).toBe(200);
	});

	test.each(['stopped', 'killed'])('are all %s and started again, and no client is told to read again', async (how) => {
		const session = await WireSession.open(at(0));
		await session.result(at(1), 'state_set', { key: 'cart', value: ['apples'] });
		const stream = await session.open(at(2));
		await session.result(at(1), 'log_session', { count: 3 });
		await stream.message(2);
		const { lastEventId } = stream;
		stream.drop();
		await session.result(at(1), 'log_session', { count: 2 });
		await Promise.all(nodes.map((node) => (how === 'killed' ? node.kill() : node.stop())));
		await Promise.all(nodes.map((node) => node.restart()));
		const next = await session.open(at(0), lastEventId);
		await session.result(at(1), 'log_session', { count: 1 });
		await next.message(2);
		expect(next.messages.map(({ message }) => message.method)).toEqual(range(1, 3).map(() => 'notifications/message'));
		expect(numbers(next)).toEqual([1, 2, 1]);
		expect(await session.result(at(2), 'state_get', { key: 'cart' })).toEqual({ value: ['apples'] });
	});
});

test('a file that is no database is refused at the start, with a line that says why', async () => {
	const notes = join(folder, 'notes.txt');
	writeFileSync(notes, 'Notes of somebody.\n'.repeat(100));
	const { code, stderr } = await run('--port', '0', '--store', notes);
	expect({ code, stderr }).toEqual({
		code: 1,
		stderr: expect.stringMatching(/^everything-server: .*notes\.txt is damaged, or is no database/),
	});
});
