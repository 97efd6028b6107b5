import { expect, test } from 'vitest';
import { useCluster } from './support/cluster.ts';
import { range, WireSession } from './support/wire-session.ts';

const cluster = useCluster();

test('1,000 increments from three nodes, two hundred at a time, lose nothing', { timeout: 120_000 }, async () => {
	const session = await WireSession.open(cluster.node(0));
	const values: number[] = [];
	for (let wave = 0; wave < 5; wave++) {
		const added = await Promise.all(
			range(1, 200).map((n) => session.result(cluster.node(n), 'counter_add', { key: 'cart:count', by: 1 })),
		);
		values.push(...added.map(({ value }) => value));
	}
	expect(values.sort((a, b) => a - b)).toEqual(range(1, 1_000));
	for (const node of cluster.nodes) {
		expect(await session.result(node, 'state_get', { key: 'cart:count' })).toEqual({ value: 1_000 });
	}
});

test('what one node keeps, every node reads, and no other session', async () => {
	const [session, other] = [await WireSession.open(cluster.node(0)), await WireSession.open(cluster.node(0))];
	const value = { items: [{ id: 'ü', count: 2 }], note: null };
	await session.result(cluster.node(1), 'state_set', { key: 'cart', value });
	for (const node of cluster.nodes) {
		expect(await session.result(node, 'state_get', { key: 'cart' })).toEqual({ value });
		expect(await other.result(node, 'state_get', { key: 'cart' })).toEqual({ value: null });
	}
});
