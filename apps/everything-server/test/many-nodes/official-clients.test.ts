import { describe, expect, test } from 'vitest';
import { connectOfficial } from '../../../../test/support/clients/official-client.ts';
import { Cluster, useCluster } from './support/cluster.ts';
import { nodeIdOf } from './support/health.ts';

const cluster = useCluster();
const uri = 'test://watched-resource';

describe.each(['v1', 'v2'] as const)('the official client %s, through the balancer,', (sdk) => {
	const connect = (answers = {}) => connectOfficial(sdk, `http://127.0.0.1:${cluster.balancer.port}`, answers);

	test('holds one conversation with three nodes', async () => {
		const client = await connect({
			elicit: () => ({ action: 'accept', content: { answer: 'blue' } }),
			roots: () => [{ uri: 'file:///home' }],
		});
		const { sessionId } = client;
		expect(await client.listTools()).toContain('session_info');
		await client.setLoggingLevel('info');
		await client.subscribe(uri);
		const nodes = new Set<string>();
		for (let turn = 0; turn < 9; turn++) {
			const info = JSON.parse(await client.call('session_info'));
			expect(info).toMatchObject({
				sessionId,
				logLevel: 'info',
				subscriptions: [uri],
				clientInfo: { name: 'official' },
			});
			nodes.add(info.nodeId);
		}
		expect(nodes.size).toBe(3);
		for (const stream of ['call', 'session']) {
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
		await client.terminate();
		await expect(client.ping()).rejects.toThrow();
	});

	test('hears progress, log messages and changes, each once and in order', async () => {
		const client = await connect();
		await client.subscribe(uri);
		const steps: number[] = [];
		await client.call('test_tool_with_progress', {}, { onprogress: (step) => steps.push(step) });
		expect(steps).toEqual([0, 50, 100]);
		await client.call('log_many', { count: 20 });
		await client.call('log_session', { count: 20 });
		await client.untilLogged(40);
		expect(client.logged).toEqual([...numbered(20), ...numbered(20)]);
		await client.call('notify_updated', { uri, count: 3 });
		await client.call('notify_list_changed', { kind: 'prompts' });
		await client.heard.until(
			(heard) => heard.some(({ method }) => method.includes('prompts')),
			'the change of prompts',
		);
		expect(client.heard.items.filter(({ method }) => method.endsWith('updated'))).toHaveLength(3);
		expect(client.errors).toEqual([]);
	});

	test('gets the rest of a call whose connection is closed in the middle', async () => {
		const client = await connect();
		expect(await client.call('test_reconnection')).toContain('successfully');
		expect(client.exchanges.items.filter(({ lastEventId }) => lastEventId !== null)).toHaveLength(1);
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

test('a server of SDK v2 on three nodes serves a client as one', async () => {
	await using cluster = await Cluster.start({ flags: ['--sdk', 'v2'] });
	const client = await connectOfficial('v2', `http://127.0.0.1:${cluster.balancer.port}`, {
		elicit: () => ({ action: 'accept', content: { answer: 'blue' } }),
	});
	await client.setLoggingLevel('info');
	for (let turn = 0; turn < 6; turn++) {
		expect(JSON.parse(await client.call('ask', { message: 'Which colour?' }))).toMatchObject({ action: 'accept' });
	}
	await client.call('log_session', { count: 5 });
	expect(await client.untilLogged(5)).toEqual(numbered(5));
});

test('a session goes on while nodes are replaced one after another', async () => {
	await using cluster = await Cluster.start({ nodes: 2 });
	const client = await connectOfficial('v1', `http://127.0.0.1:${cluster.balancer.port}`);
	await client.subscribe(uri);
	for (const node of cluster.nodes) {
		await node.kill();
		await node.restart();
		// The balancer passes over a node that was away for a while, and a request that meets its last connection gets a
		// 502.
		const served = async () => JSON.parse(await client.call('session_info')).nodeId;
		await expect.poll(served, { timeout: 20_000 }).toBe(await nodeIdOf(node));
	}
	await client.call('notify_updated', { uri });
	await client.heard.count(1, 'update after both nodes were replaced');
});

function numbered(count: number): { n: number }[] {
	return Array.from({ length: count }, (_, index) => ({ n: index + 1 }));
}
