import { describe, expect, onTestFinished, test } from 'vitest';
import { type Cluster, startNode } from './cluster.ts';
import { health, readiness } from './health.ts';
import type { Outage } from './outages.ts';
import { everyCapability, numbers, structured, WireSession } from './wire-session.ts';

/** How long it is away, in milliseconds: longer than every time-out of a command and of a look for other nodes. */
const OUTAGE_MS = 5_500;
/** How long a node may serve sessions without hearing itself, in milliseconds. */
const LEASE_MS = 3_000;
/** How soon all works again, in milliseconds. */
export const BACK_MS = 5_000;
/** How soon a request is refused, in milliseconds: within a second, and what a busy machine needs. */
const REFUSED_MS = 2_000;

/** What a cluster does while its store, which keeps its data, is away, and afterwards. */
export function describeOutages(store: string, cluster: Cluster, outages: readonly Outage[]): void {
	describe.each(outages)(`while ${store} $how`, ({ leave, comeBack }) => {
		test('streams stay open, what needs the store is refused, nobody exits; then all goes on by itself', {
			timeout: 60_000,
		}, async () => {
			const uri = 'test://watched-resource';
			const [a, b, c] = [cluster.node(0), cluster.node(1), cluster.node(2)];
			const session = await WireSession.open(a, everyCapability);
			await session.request(a, 'resources/subscribe', { uri });
			const stream = await session.open(b);
			await session.result(a, 'log_session', { count: 3 });
			await stream.message(2);
			const call = await session.call(a, 'ask', { message: 'Still there?' });
			const question = await call.find(({ method }) => method === 'elicitation/create');
			const counting = await session.call(a, 'log_many', { count: 100, intervalMs: 25 });
			await counting.message(2);
			const stranger = await WireSession.open(c);

			const left = performance.now();
			await leave(cluster);
			onTestFinished(() => cluster.heal());
			for (const node of cluster.nodes) {
				await expect.poll(() => readiness(node), { timeout: 5_000 }).toBe(503);
				expect(await health(node)).toBe(200);
			}
			await refusedInTime(() => stranger.request(a, 'ping'));
			await refusedInTime(() => stranger.stream(b));
			await refusedInTime(() => stranger.end(b));
			await refusedInTime(() => session.request(c, 'ping'));
			await expect(WireSession.open(a)).rejects.toThrow(/No session was opened: 503/);
			// Who cannot hear the others cannot know what has ended.
			for (const node of [a, b]) {
				await expect.poll(() => session.ping(node), { timeout: LEASE_MS + REFUSED_MS }).toBe(503);
				await refusedInTime(() => session.request(node, 'ping'));
			}

			const late = await startNode(cluster.store);
			onTestFinished(async () => void (await late.kill()));
			expect([await health(late), await readiness(late)]).toEqual([200, 503]);
			while (performance.now() - left < OUTAGE_MS) await refusedInTime(() => session.request(late, 'ping'));
			expect([stream.over, call.over, counting.over]).toEqual([false, false, false]);
			expect(cluster.nodes.map(({ running }) => running)).toEqual([true, true, true]);

			await comeBack(cluster);
			const back = performance.now();
			for (const node of [...cluster.nodes, late]) {
				await expect.poll(() => readiness(node), { timeout: BACK_MS }).toBe(200);
				await expect.poll(() => session.ping(node), { timeout: BACK_MS }).toBe(200);
			}
			for (const node of [a, c, late]) await session.result(node, 'log_session', { count: 2 });
			await expect.poll(() => numbers(stream).length, { timeout: BACK_MS }).toBe(9);
			expect(performance.now() - back).toBeLessThan(BACK_MS * 2);
			expect(numbers(stream)).toEqual([1, 2, 3, 1, 2, 1, 2, 1, 2]);
			await session.result(late, 'notify_updated', { uri });
			await stream.find(({ method }) => method === 'notifications/resources/updated');
			await session.request(late, 'logging/setLevel', { level: 'warning' });
			for (const node of cluster.nodes)
				await expect.poll(async () => (await session.info(node)).logLevel).toBe('warning');
			expect((await session.answer(c, question, { action: 'decline' })).status).toBe(202);
			expect(structured(await call.answer())).toMatchObject({ action: 'decline' });
			counting.deadlineMs = 20_000;
			expect(structured(await counting.answer())).toMatchObject({ count: 100 });
			// What was said while the store was away may be missing; nothing comes twice, or out of order.
			expect(numbers(counting)).toEqual([...new Set(numbers(counting))].toSorted((x, y) => x - y));
			expect((await stranger.end(a)).status).toBe(200);
		});
	});
}

/** The request is answered with 503 and Retry-After, soon. */
async function refusedInTime(request: () => ReturnType<WireSession['end']>): Promise<void> {
	const began = performance.now();
	const { status, headers } = await request();
	expect(performance.now() - began).toBeLessThan(REFUSED_MS);
	expect([status, headers.get('retry-after')]).toEqual([503, '1']);
}
