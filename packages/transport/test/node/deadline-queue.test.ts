import { ManualClock } from '@holdfast/session-manager/testing';
import { expect, it } from 'vitest';
import { DeadlineQueue } from '../../src/node/deadline-queue.ts';

/** A queue of 100 ms, and what has expired so far. */
function open() {
	const clock = new ManualClock();
	const expired: string[] = [];
	const queue = new DeadlineQueue<string>(clock, 100, (item) => expired.push(item));
	return { clock, expired, queue };
}

it('calls with each item once its time is over, and not before', () => {
	const { clock, expired, queue } = open();
	queue.add('a');
	clock.advance(60);
	queue.add('b');
	clock.advance(39);
	expect(expired).toEqual([]);
	clock.advance(1);
	expect(expired).toEqual(['a']);
	clock.advance(59);
	expect(expired).toEqual(['a']);
	clock.advance(1);
	expect(expired).toEqual(['a', 'b']);
});

it('does not call with an item that was deleted, or after it was closed', () => {
	const { clock, expired, queue } = open();
	const [, b] = ['a', 'b', 'c'].map((item) => queue.add(item));
	b?.cancel();
	b?.cancel();
	clock.advance(99);
	queue.add('d');
	clock.advance(1);
	expect(expired).toEqual(['a', 'c']);
	queue.close();
	clock.advance(100);
	expect(expired).toEqual(['a', 'c']);
});

it('takes items that are added while others expire', () => {
	const clock = new ManualClock();
	const expired: string[] = [];
	const queue = new DeadlineQueue<string>(clock, 100, (item) => {
		expired.push(item);
		if (item === 'a') queue.add('again');
	});
	queue.add('a');
	clock.advance(100);
	expect(expired).toEqual(['a']);
	clock.advance(100);
	expect(expired).toEqual(['a', 'again']);
});

it('calls with a part of many items in each turn, and with each in its order', () => {
	const turns: number[] = [];
	class TurnClock extends ManualClock {
		override after(delayMs: number, task: () => void): () => void {
			return super.after(delayMs, () => {
				const before = expired.length;
				task();
				turns.push(expired.length - before);
			});
		}
	}
	const clock = new TurnClock();
	const expired: number[] = [];
	const queue = new DeadlineQueue<number>(clock, 100, (item) => expired.push(item));
	const items = Array.from({ length: 1_000 }, (_, n) => n);
	for (const item of items) queue.add(item);
	clock.advance(100);
	expect(expired).toEqual(items);
	expect(Math.max(...turns)).toBeLessThanOrEqual(100);
});
