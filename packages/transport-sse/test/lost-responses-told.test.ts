import { ManualClock } from '@holdfast/session-manager/testing';
import type { SessionHost } from '@holdfast/transport/internal';
import { expect, it } from 'vitest';
import { settle } from '../../../test/support/deadline.ts';
import { LostResponses } from '../src/lost-responses.ts';
import { SentResponses } from '../src/sent-responses.ts';

/** A node whose store takes messages to the others when the test says so. */
function nodeWith(take: () => Promise<void>) {
	const clock = new ManualClock(1_000_000);
	const told: (readonly string[])[] = [];
	const sentAgain: string[] = [];
	let hear: (message: { sessionIds: readonly string[] }) => void = () => {};
	const streams = { send: async ([id]: readonly [string]) => void sentAgain.push(id) };
	const host = {
		context: { clock, closed: false, streams, background: (work: () => Promise<void>) => void work() },
		bus: {
			on: (_type: string, listener: typeof hear) => {
				hear = listener;
			},
			tellAllAgain: ({ sessionIds }: { sessionIds: readonly string[] }) => {
				told.push(sessionIds);
				return take();
			},
		},
	};
	const sent = new SentResponses(clock);
	const lost = new LostResponses(host as unknown as SessionHost, sent);
	return { clock, told, lost, sent, sentAgain, hears: (sessionIds: readonly string[]) => hear({ sessionIds }) };
}

it('nodes are told again of what is lost while they are told, and no more than twice a second', async () => {
	const taken: (() => void)[] = [];
	const { clock, told, lost } = nodeWith(() => new Promise((resolve) => taken.push(resolve)));
	lost.report('a');
	lost.report('a');
	expect(told).toEqual([['a']]);
	taken.shift()?.();
	for (let n = 0; n < 50; n++) lost.report('b');
	await settle();
	expect(told).toEqual([['a']]);
	clock.advance(500);
	await settle();
	expect(told).toEqual([['a'], ['a', 'b']]);
});

it('nodes are told in the end of what the store refused at first', async () => {
	let isAway = true;
	const { clock, told, lost } = nodeWith(async () => {
		if (isAway) throw new Error('away');
	});
	lost.report('a');
	await settle();
	isAway = false;
	clock.advance(500);
	await settle();
	expect(told).toEqual([['a'], ['a']]);
	clock.advance(5_000);
	await settle();
	expect(told).toHaveLength(2);
});

it('a node that is told of very many sessions sends their responses again in parts, each once', () => {
	const { clock, sent, sentAgain, hears } = nodeWith(async () => {});
	const ids = Array.from({ length: 1_000 }, (_, n) => `s${n}`);
	for (const id of ids) sent.add(id, 'event', 'lost');
	hears(ids);
	expect(sentAgain.length).toBeLessThanOrEqual(100);
	clock.advance(0);
	expect(sentAgain).toEqual(ids);
});

it('very many sessions are named in several messages, each of a size that an event may have', async () => {
	const { clock, told, lost } = nodeWith(async () => {});
	const ids = Array.from({ length: 20_000 }, (_, n) => `${n}`.padStart(36, '.'));
	for (const id of ids) lost.report(id);
	for (let n = 0; n < 10; n++) {
		await settle();
		clock.advance(500);
	}
	expect(told.flat()).toEqual(ids);
	for (const named of told) expect(JSON.stringify(named).length).toBeLessThan(512 * 1024);
});
