import { expect, test } from 'vitest';
import { useCluster } from './support/cluster.ts';
import { openOperator } from './support/operator.ts';
import { WireSession } from './support/wire-session.ts';

const cluster = useCluster();

/** A node that is gone is listed no longer than this, in milliseconds. */
const GONE_MS = 15_000;

test('lists the nodes of every process with their counts; one that hangs or was killed is gone within 15 s', async () => {
	const { transport } = openOperator(cluster.redis);
	const idOf = async (index: number): Promise<string> => {
		const response = await fetch(new URL('/healthz', cluster.node(index).url));
		return ((await response.json()) as { readonly nodeId: string }).nodeId;
	};
	const ids = await Promise.all([0, 1, 2].map(idOf));
	for (const index of [0, 1, 2]) await WireSession.open(cluster.node(index));
	const listed = async () => (await transport.nodes()).map(({ id }) => id).filter((id) => ids.includes(id));
	await expect.poll(listed, { timeout: GONE_MS }).toHaveLength(3);
	const sessions = async (id: string | undefined) =>
		(await transport.nodes()).find((node) => node.id === id)?.counts['sessions'];
	await expect.poll(() => sessions(ids[2]), { timeout: GONE_MS }).toBeGreaterThanOrEqual(1);

	cluster.node(0).pause();
	await cluster.node(1).kill();
	const gone = performance.now();
	await expect.poll(listed, { timeout: GONE_MS, interval: 100 }).toEqual([ids[2]]);
	expect(performance.now() - gone).toBeLessThan(GONE_MS);

	cluster.node(0).resume();
	await expect.poll(listed, { timeout: GONE_MS, interval: 100 }).toEqual(expect.arrayContaining([ids[0], ids[2]]));
}, 60_000);
