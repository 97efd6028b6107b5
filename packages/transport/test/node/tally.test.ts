import { expect, it } from 'vitest';
import { Tally } from '../../src/node/tally.ts';

it('counts by key', () => {
	const tally = new Tally();
	expect(tally.get('a')).toBe(0);
	tally.add('a', 3);
	tally.add('b', 1);
	tally.add('a', -1);
	expect([tally.get('a'), tally.get('b')]).toEqual([2, 1]);
});

it('keeps no more than some keys at zero, and every other', () => {
	const tally = new Tally();
	for (let i = 0; i < 100; i++) tally.add(`held ${i}`, 1);
	for (let i = 0; i < 100_000; i++) {
		tally.add(`passing ${i}`, 1);
		tally.add(`passing ${i}`, -1);
	}
	expect(tally.size).toBeLessThanOrEqual(1024);
	for (let i = 0; i < 100; i++) expect(tally.get(`held ${i}`)).toBe(1);
});

it('takes any number of keys that are not at zero', () => {
	const tally = new Tally();
	for (let i = 0; i < 10_000; i++) tally.add(`held ${i}`, 1);
	expect(tally.size).toBe(10_000);
});
