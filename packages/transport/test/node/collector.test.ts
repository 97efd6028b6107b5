import { ManualClock } from '@holdfast/session-manager/testing';
import { expect, it } from 'vitest';
import { settle } from '../../../../test/support/deadline.ts';
import { Collector } from '../../src/node/collector.ts';
import { NodeContext } from '../../src/node/node-context.ts';

function open() {
	const clock = new ManualClock();
	const errors: string[] = [];
	const context = new NodeContext({ clock, onerror: ({ message }) => errors.push(message) });
	return { clock, errors, context };
}

it('works on what it collected in one turn, on each once', () => {
	const { clock, context } = open();
	const done: number[] = [];
	const collector = new Collector<number>(context, (item) => done.push(item));
	for (const item of [1, 2, 1]) collector.add(item);
	clock.advance(9);
	collector.add(3);
	expect(done).toEqual([]);
	clock.advance(1);
	expect(done).toEqual([1, 2, 3]);
	collector.add(1);
	clock.advance(10);
	expect(done).toEqual([1, 2, 3, 1]);
});

it('waits for no more than a turn can do', () => {
	const { clock, context } = open();
	const done: number[] = [];
	const collector = new Collector<number>(context, (item) => done.push(item));
	for (let item = 0; item < 250; item++) collector.add(item);
	expect(done).toHaveLength(200);
	clock.advance(10);
	expect(done).toHaveLength(250);
});

it('waits for nothing where timers end with the request that sets them', () => {
	const { clock, context } = open();
	Object.assign(clock, { requestBegins() {} });
	const done: number[] = [];
	new Collector<number>(context, (item) => done.push(item)).add(1);
	expect(done).toEqual([1]);
});

it('reports what fails, and goes on', async () => {
	const { clock, context, errors } = open();
	const collector = new Collector<number>(context, (item) => {
		if (item === 1) throw new Error('thrown');
		return item === 2 ? Promise.reject(new Error('rejected')) : undefined;
	});
	for (const item of [1, 2, 3]) collector.add(item);
	clock.advance(10);
	await settle();
	expect(errors).toEqual(['thrown', 'rejected']);
});

it('is flushed once all that was begun is over, before and now', async () => {
	const { clock, context } = open();
	const ends: (() => void)[] = [];
	const collector = new Collector<number>(context, () => new Promise<void>((resolve) => ends.push(resolve)));
	collector.add(1);
	clock.advance(10);
	collector.add(2);
	let isFlushed = false;
	const flushed = collector.flush().then(() => {
		isFlushed = true;
	});
	expect(ends).toHaveLength(2);
	for (const end of ends) {
		await settle();
		expect(isFlushed).toBe(false);
		end();
	}
	await flushed;
	expect(isFlushed).toBe(true);
});
