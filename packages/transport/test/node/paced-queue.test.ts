import { ManualClock } from '@holdfast/session-manager/testing';
import { expect, it } from 'vitest';
import { settle } from '../../../../test/support/deadline.ts';
import { NodeContext } from '../../src/node/node-context.ts';
import { PacedQueue } from '../../src/node/paced-queue.ts';

const MANY = Array.from({ length: 100 }, (_, n) => n);

function open() {
	const clock = new ManualClock();
	const errors: string[] = [];
	const context = new NodeContext({ clock, onerror: ({ message }) => errors.push(message) });
	return { clock, errors, context };
}

it('works on a bounded number of items at once, on each once, and in their order', async () => {
	const { clock, context } = open();
	const begun: number[] = [];
	const ends: (() => void)[] = [];
	const queue = new PacedQueue<number>(context, (item) => {
		begun.push(item);
		return new Promise<void>((resolve) => ends.push(resolve));
	});
	for (const item of [...MANY, ...MANY.slice(50)]) queue.add(item);
	const most = begun.length;
	expect(most).toBeGreaterThan(1);
	expect(most).toBeLessThanOrEqual(25);
	while (begun.length < MANY.length) {
		const [end] = ends.splice(0, 1);
		const before = begun.length;
		end?.();
		await settle();
		clock.advance(0);
		expect(begun.length).toBe(before + 1);
	}
	expect(begun).toEqual(MANY);
});

it('does not hold the turn where the work is done at once', () => {
	const { clock, context } = open();
	const done: number[] = [];
	const queue = new PacedQueue<number>(context, (item) => done.push(item));
	for (const item of MANY) queue.add(item);
	expect(done.length).toBeLessThanOrEqual(25);
	clock.advance(0);
	expect(done).toEqual(MANY);
});

it('reports what fails, and goes on', async () => {
	const { clock, context, errors } = open();
	const queue = new PacedQueue<number>(context, (item) => {
		if (item % 2 === 0) throw new Error(`${item} thrown`);
		return Promise.reject(new Error(`${item} rejected`));
	});
	for (const item of MANY) queue.add(item);
	expect(errors.length).toBeLessThanOrEqual(25);
	for (let turn = 0; turn < MANY.length; turn++) {
		await settle();
		clock.advance(0);
	}
	expect(errors).toHaveLength(MANY.length);
});

it('drops what waits when it is cleared, and takes what comes later', () => {
	const { clock, context } = open();
	const done: number[] = [];
	const queue = new PacedQueue<number>(context, (item) => done.push(item));
	for (const item of MANY) queue.add(item);
	const before = done.length;
	queue.clear();
	clock.advance(0);
	expect(done).toHaveLength(before);
	queue.add(1_000);
	expect(done.at(-1)).toBe(1_000);
});
