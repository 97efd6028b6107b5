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
	const host = {
		context: { clock, closed: false, background: (work: () => Promise<void>) => void work() },
		bus: {
			on: () => {},
			tellAllAgain: ({ sessionIds }: { sessionIds: readonly string[] }) => {
				told.push(sessionIds);
				return take();
			},
		},
	};
	return { clock, told, lost: new LostResponses(host as unknown as SessionHost, new SentResponses(clock)) };
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
