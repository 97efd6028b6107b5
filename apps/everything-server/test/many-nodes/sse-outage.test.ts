import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { SseClient } from '../../../../test/support/clients/sse-client.ts';
import { openSse, openSseSession, posts } from '../../../../test/support/clients/sse-over-http.ts';
import { useCluster } from './support/cluster.ts';
import { readiness } from './support/health.ts';
import { outages } from './support/outages.ts';
import { everyCapability, range, structured } from './support/wire-session.ts';

const cluster = useCluster({ redis: { appendonly: 'yes', appendfsync: 'always' } });

/** How soon all works again, in milliseconds. */
const BACK_MS = 10_000;

describe.each(outages)('while Redis $how, over HTTP+SSE', ({ leave, comeBack }) => {
	test('streams stay open, calls are refused or answered, and all goes on by itself', {
		timeout: 60_000,
	}, async () => {
		const [a, b, c] = [cluster.node(0), cluster.node(1), cluster.node(2)];
		const client = await openSseSession(a, everyCapability);
		const onB = client.at(posts(b));
		await client.ask('session_info');
		await onB.ask('session_info');
		const asking = await onB.call('ask', { message: 'Still there?' });
		const question = await client.find(({ method }) => method === 'elicitation/create');

		await leave(cluster);
		onTestFinished(() => cluster.heal());
		for (const node of cluster.nodes) await expect.poll(() => readiness(node), { timeout: 5_000 }).toBe(503);
		// A node believes what it knows for a moment; then it serves nothing that it cannot ask the store about.
		const [accepted, refused] = [new Set<string>(), new Set<string>()];
		for (const node of cluster.nodes) {
			const ping = async () => {
				const id = `${node.url} ${accepted.size}`;
				const { status, headers } = await client.at(posts(node)).post({ jsonrpc: '2.0', id, method: 'ping' });
				(status === 202 ? accepted : refused).add(id);
				return [status, headers.get('retry-after')];
			};
			await expect.poll(ping, { timeout: 5_000 }).toEqual([503, '1']);
		}
		const notified = await client.at(posts(c)).notify('notifications/x');
		expect([notified.status, notified.headers.get('retry-after')]).toEqual([503, '1']);
		await expect(openSse(b)).rejects.toThrow();
		expect([client.stream.over, ...cluster.nodes.map(({ running }) => running)]).toEqual([false, true, true, true]);

		await comeBack(cluster);
		client.stream.deadlineMs = BACK_MS;
		for (const id of accepted) await client.answerTo(id);
		for (const node of cluster.nodes) await expect.poll(() => readiness(node), { timeout: BACK_MS }).toBe(200);
		expect((await client.at(posts(c)).reply(question.id, { action: 'decline' })).status).toBe(202);
		expect(structured(await client.answerTo(asking))).toMatchObject({ action: 'decline' });
		for (const node of cluster.nodes) {
			const elsewhere = client.at(posts(node));
			await elsewhere.answerTo(await elsewhere.call('log_session', { count: 3 }));
		}
		expect(numbers(client)).toEqual([...range(1, 3), ...range(1, 3), ...range(1, 3)]);
		const ids = client.messages.flatMap(({ id, method }) => (method === undefined ? [id] : []));
		expect(ids).toEqual([...new Set(ids)]);
		expect(ids.filter((id) => refused.has(String(id)))).toEqual([]);
	});
});

test('after Redis started again without its data, streams close, sessions are unknown, and new ones work', async () => {
	const clients = await Promise.all(cluster.nodes.map((node) => openSseSession(node)));
	await cluster.redis.kill();
	onTestFinished(() => cluster.heal());
	rmSync(join(cluster.redis.folder, 'appendonlydir'), { recursive: true });
	await cluster.redis.start();
	for (const client of clients) {
		client.stream.deadlineMs = BACK_MS;
		await client.stream.ended();
		for (const node of cluster.nodes) {
			const status = async () => (await client.at(posts(node)).notify('notifications/x')).status;
			await expect.poll(status, { timeout: BACK_MS }).toBe(404);
		}
	}
	const next = await openSseSession(cluster.node(0));
	const onC = next.at(posts(cluster.node(2)));
	await onC.answerTo(await onC.call('log_session', { count: 2 }));
	expect(numbers(next)).toEqual([1, 2]);
});

/** The numbers that were logged, in order. */
function numbers(client: SseClient): number[] {
	return client.messages.filter(({ method }) => method === 'notifications/message').map(({ params }) => params.data.n);
}
