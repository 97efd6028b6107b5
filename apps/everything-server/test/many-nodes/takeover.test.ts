import { describe, expect, test } from 'vitest';
import type { WireResponse } from '../../../../test/support/clients/wire-response.ts';
import { letters, useCluster } from './support/cluster.ts';
import { numbers, range, structured, WireSession } from './support/wire-session.ts';

const cluster = useCluster();

/** How soon a new stream is there, in milliseconds; a machine that is busy needs some of it. */
const AT_ONCE_MS = 2_000;

describe('a new GET takes the session stream over', () => {
	test.each(letters.flatMap((from) => letters.map((to) => [from, to] as const)))(
		'from its holder on %s to %s at once, and the old one is closed',
		async (from, to) => {
			const session = await WireSession.open(cluster.node(1));
			const old = await session.open(cluster.at(from));
			const began = performance.now();
			const next = await session.open(cluster.at(to));
			await old.ended();
			expect(performance.now() - began).toBeLessThan(AT_ONCE_MS);
			expect(old.broken).toBe(false);
			await session.result(cluster.node(2), 'log_session', { count: 2 });
			await next.message(1);
			expect(numbers(old)).toEqual([]);
			expect(numbers(next)).toEqual([1, 2]);
		},
	);

	test('again and again while messages are sent: each is received once, in order', async () => {
		const session = await WireSession.open(cluster.node(0));
		const streams = [await session.open(cluster.node(0))];
		const sent = session.result(cluster.node(1), 'log_session', { count: 3_000 });
		for (const index of range(1, 25)) streams.push(await session.open(cluster.node(index)));
		expect(await sent).toMatchObject({ count: 3_000 });
		await Promise.all(streams.slice(0, -1).map((stream) => stream.ended()));
		await untilLogged(streams, 3_000);
		expect(streams.flatMap(numbers)).toEqual(range(1, 3_000));
	});

	test.each(['without', 'with'])(
		'in a race of 20 over three nodes, %s a last event id: exactly one stays',
		async (which) => {
			const session = await WireSession.open(cluster.node(0));
			const first = await session.open(cluster.node(0));
			await session.result(cluster.node(1), 'log_session', { count: 5 });
			await first.message(4);
			const lastEventId = which === 'with' ? first.lastEventId : undefined;
			const streams = await Promise.all(range(0, 19).map((index) => session.open(cluster.node(index), lastEventId)));
			await expect.poll(() => open(streams).length, { timeout: 5_000 }).toBe(1);
			await session.result(cluster.node(2), 'log_session', { count: 10 });
			const [winner] = open(streams);
			await winner?.message(9);
			expect(streams.filter((stream) => stream !== winner).flatMap(numbers)).toEqual([]);
			expect(winner && numbers(winner)).toEqual(range(1, 10));
			expect(open(streams)).toEqual([winner]);
		},
	);

	test('in a race of 20 while messages are sent: each is received once, whoever has the stream', async () => {
		const session = await WireSession.open(cluster.node(0));
		const first = await session.open(cluster.node(0));
		const sent = session.result(cluster.node(1), 'log_session', { count: 2_000 });
		await first.message(0);
		const others = await Promise.all(range(0, 19).map((index) => session.open(cluster.node(index))));
		await sent;
		const streams = [first, ...others];
		await expect.poll(() => open(streams).length, { timeout: 5_000 }).toBe(1);
		await untilLogged(streams, 2_000);
		expect(streams.flatMap(numbers).sort((a, b) => a - b)).toEqual(range(1, 2_000));
		for (const stream of streams) expect(numbers(stream)).toEqual(numbers(stream).toSorted((a, b) => a - b));
	});

	test.each(['B', 'C'] as const)(
		'from a holder that was killed with -9, at once on %s: nothing is lost',
		async (to) => {
			const killed = cluster.at('A');
			const survivor = cluster.at('C');
			const session = await WireSession.open(survivor);
			const old = await session.open(killed);
			const sent = session.result(survivor, 'log_session', { count: 1_500 });
			await old.message(10);
			await killed.kill();
			await old.ended();
			const began = performance.now();
			const next = await session.open(cluster.at(to), old.lastEventId);
			expect(performance.now() - began).toBeLessThan(AT_ONCE_MS);
			await sent;
			await untilLogged([old, next], 1_500);
			expect([...numbers(old), ...numbers(next)]).toEqual(range(1, 1_500));
			await cluster.heal();
			// The node that died is as good as any other when it is back.
			const last = await session.open(killed, next.lastEventId);
			await next.ended();
			await session.result(survivor, 'log_session', { count: 1 });
			await last.message(0);
		},
	);

	test('of a stream of a call too: the one that had it before is closed, and each message is received once', async () => {
		const session = await WireSession.open(cluster.node(0));
		const first = await session.call(cluster.node(0), 'log_many', { count: 150, intervalMs: 5 });
		await first.message(2);
		const second = await session.open(cluster.node(1), first.lastEventId);
		await first.ended();
		const third = await session.open(cluster.node(2), second.lastEventId);
		await second.ended();
		expect(structured(await third.answer())).toMatchObject({ count: 150 });
		// What came to the old ones before they were closed was behind the event id that the new ones began at.
		expect(new Set([first, second, third].flatMap(numbers))).toEqual(new Set(range(1, 150)));
		expect(numbers(third)).toEqual(range(numbers(third)[0] ?? 0, 150));
	});
});

function open(streams: readonly WireResponse[]): WireResponse[] {
	return streams.filter(({ over }) => !over);
}

/** Waits until `streams` have received `count` numbers together. */
async function untilLogged(streams: readonly WireResponse[], count: number): Promise<void> {
	await expect.poll(() => streams.flatMap(numbers).length, { timeout: 10_000 }).toBeGreaterThanOrEqual(count);
}
