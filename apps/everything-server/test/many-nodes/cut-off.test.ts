import type { NodeProcess } from '@holdfast/local-cluster';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { TcpProxy } from '../../../../test/support/network/tcp-proxy.ts';
import { startNode, useCluster } from './support/cluster.ts';
import { readiness } from './support/health.ts';
import { everyCapability, numbers, range, structured, WireSession } from './support/wire-session.ts';

const cluster = useCluster({ nodes: 2 });
let proxy: TcpProxy;
let node: NodeProcess;

beforeAll(async () => {
	proxy = await TcpProxy.to(cluster.redis.port);
	node = await startNode({ url: `redis://127.0.0.1:${proxy.port}` });
	return async () => {
		await node.kill();
		await proxy.dispose();
	};
});

beforeEach(async () => {
	proxy.flow();
	await expect.poll(() => readiness(node), { timeout: 10_000 }).toBe(200);
});

describe('a node that is cut off from Redis for a moment is not taken for dead:', () => {
	test('the stream of its call, resumed elsewhere meanwhile, goes on to its response', async () => {
		const session = await WireSession.open(node);
		const call = await session.call(node, 'log_many', { count: 60, intervalMs: 25 });
		await call.message(2);
		const { nodeId } = await session.info(node);
		call.drop();
		await cutOff(nodeId);
		const resumed = await session.open(cluster.node(0), call.lastEventId);
		await resumed.event(0);
		proxy.flow();
		expect(structured(await resumed.answer())).toEqual({ count: 60, nodeId });
		await resumed.ended();
		const heard = [...numbers(call), ...numbers(resumed)];
		expect(heard).toEqual([...new Set(heard)].toSorted((a, b) => a - b));
	});

	test('a response that another node is given meanwhile reaches it', async () => {
		const session = await WireSession.open(node, everyCapability);
		const { nodeId } = await session.info(node);
		const call = await session.call(node, 'ask', { message: 'Well?' });
		const question = await call.find(({ method }) => method === 'elicitation/create');
		await cutOff(nodeId);
		const answered = session.answer(cluster.node(1), question, { action: 'decline' });
		proxy.flow();
		expect((await answered).status).toBe(202);
		expect(structured(await call.answer())).toMatchObject({ action: 'decline' });
	});

	test('what it was told meanwhile holds on it as soon as it is back', async () => {
		const session = await WireSession.open(cluster.node(0));
		const ended = await WireSession.open(cluster.node(0));
		const { nodeId } = await session.info(node);
		await ended.info(node);
		const orphan = await ended.open(node);
		await cutOff(nodeId);
		await session.request(cluster.node(1), 'logging/setLevel', { level: 'error' });
		await ended.end(cluster.node(1));
		proxy.flow();
		await expect.poll(() => readiness(node), { timeout: 10_000 }).toBe(200);
		await expect.poll(async () => (await session.info(node)).logLevel).toBe('error');
		await expect.poll(() => ended.ping(node)).toBe(404);
		await orphan.ended();
	});

	test('its session stream goes on with what was sent meanwhile, each message once', async () => {
		const session = await WireSession.open(cluster.node(0));
		const stream = await session.open(node);
		const { nodeId } = await session.info(node);
		for (const round of range(1, 3)) {
			const sending = session.result(cluster.node(0), 'log_session', { count: 300 });
			await cutOff(nodeId);
			await sending;
			await session.result(cluster.node(1), 'log_session', { count: 20 });
			proxy.flow();
			await stream.message(320 * round - 1);
		}
		expect(numbers(stream)).toEqual(range(1, 3).flatMap(() => [...range(1, 300), ...range(1, 20)]));
	});
});

/** Cuts the node off, and waits until Redis knows. */
async function cutOff(nodeId: string): Promise<void> {
	proxy.refuse();
	const heard = async () => (await cluster.redis.client().call('PUBSUB', 'SHARDCHANNELS', `*${nodeId}*`)) as string[];
	await expect.poll(heard).toEqual([]);
}
