import { describe, expect, test } from 'vitest';
import { connectOfficial } from '../../../../../test/support/clients/official-client.ts';
import type { Cluster } from './cluster.ts';
import { range } from './wire-session.ts';

const uri = 'test://watched-resource';

/** What the official clients of both SDKs experience of HTTP+SSE behind a balancer that knows nothing of sessions. */
export function describeOfficialSseClients(cluster: Cluster): void {
	describe.each(['v1', 'v2'] as const)('the official client %s of HTTP+SSE, through the balancer,', (sdk) => {
		const connect = (answers = {}) => connectOfficial(sdk, `http://127.0.0.1:${cluster.balancer.port}`, answers, 'sse');

		test('holds one conversation with three nodes', async () => {
			const client = await connect({
				elicit: () => ({ action: 'accept', content: { answer: 'blue' } }),
				roots: () => [{ uri: 'file:///home' }],
			});
			expect(await client.listTools()).toContain('session_info');
			await client.setLoggingLevel('info');
			await client.subscribe(uri);
			const nodes = new Set<string>();
			for (let turn = 0; turn < 9; turn++) {
				const info = JSON.parse(await client.call('session_info'));
				expect(info).toMatchObject({
					sessionId: client.sessionId,
					logLevel: 'info',
					subscriptions: [uri],
					clientInfo: { name: 'official' },
				});
				nodes.add(info.nodeId);
			}
			expect(nodes.size).toBe(3);
			for (const stream of ['call', 'session', 'call']) {
				expect(JSON.parse(await client.call('ask', { message: 'Which colour?', stream }))).toMatchObject({
					action: 'accept',
					content: { answer: 'blue' },
				});
				expect(JSON.parse(await client.call('sample', { prompt: 'Well?', stream }))).toMatchObject({
					model: 'agreeable',
				});
				expect(JSON.parse(await client.call('list_roots', { stream }))).toMatchObject({
					roots: [{ uri: 'file:///home' }],
				});
			}
			expect(client.errors).toEqual([]);
		});

		test('hears progress, log messages and changes, each once and in order', async () => {
			const client = await connect();
			await client.subscribe(uri);
			const steps: number[] = [];
			await client.call('test_tool_with_progress', {}, { onprogress: (step) => steps.push(step) });
			// These clients complain of progress that they read together with the response; that it is there, other tests
			// show.
			expect(steps.slice(0, 2)).toEqual([0, 50]);
			await client.call('log_many', { count: 20 });
			await client.call('log_session', { count: 20 });
			await client.untilLogged(40);
			const numbered = range(1, 20).map((n) => ({ n }));
			expect(client.logged).toEqual([...numbered, ...numbered]);
			await client.call('notify_updated', { uri, count: 3 });
			await client.call('notify_list_changed', { kind: 'tools' });
			await client.heard.until(() => methods().length >= 4, 'change');
			expect(methods()).toEqual([
				...range(1, 3).map(() => 'notifications/resources/updated'),
				'notifications/tools/list_changed',
			]);
			expect(client.errors.filter(({ message }) => !message.includes('unknown token'))).toEqual([]);

			function methods() {
				return client.heard.items.map(({ method }) => method).filter((method) => method !== 'notifications/message');
			}
		});

		test('cancels a call on whichever node it runs', async () => {
			const client = await connect();
			for (let turn = 0; turn < 3; turn++) {
				const cancel = new AbortController();
				const logged = client.logged.length;
				const call = client.call('log_many', { count: 100_000, intervalMs: 5 }, { signal: cancel.signal });
				call.catch(() => {});
				await client.untilLogged(logged + 3);
				cancel.abort();
				await expect(call).rejects.toThrow();
			}
			await client.ping();
		});
	});
}
