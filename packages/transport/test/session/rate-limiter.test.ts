import { ManualClock } from '@holdfast/session-manager/testing';
import { describe, expect, it } from 'vitest';
import { RateLimiter } from '../../src/session/rate-limiter.ts';

const MINUTE = 60_000;

function open(perMinute: number) {
	const clock = new ManualClock(1_000_000);
	const rate = new RateLimiter(clock, { burst: perMinute, refillMs: MINUTE, message: 'too many' });
	const mayOpen = (who: string | undefined) => {
		try {
			rate.count(who);
			return true;
		} catch (error) {
			expect(error).toMatchObject({ name: 'SessionManagerError', code: 'limit' });
			return false;
		}
	};
	/** How many times `who` may open now. */
	const allowed = (who: string) => {
		let count = 0;
		while (mayOpen(who)) count++;
		return count;
	};
	return { clock, mayOpen, allowed };
}

describe('the rate of opening', () => {
	it('lets so many through at once, and as many a minute, evenly', () => {
		const { clock, allowed } = open(60);
		expect(allowed('alice')).toBe(60);
		clock.advance(1_000);
		expect(allowed('alice')).toBe(1);
		clock.advance(30_000);
		expect(allowed('alice')).toBe(30);
		clock.advance(60 * MINUTE);
		expect(allowed('alice')).toBe(60);
	});

	it('counts what costs more as several, and at most the whole bucket', () => {
		const clock = new ManualClock(0);
		const rate = new RateLimiter(clock, { burst: 10, refillMs: 1_000, message: 'too much' });
		rate.count('alice', 9);
		expect(() => rate.count('alice', 2)).toThrow('too much');
		rate.count('alice', 1);
		clock.advance(1_000);
		rate.count('alice', 1_000);
		expect(() => rate.count('alice')).toThrow('too much');
	});

	it('is of each alone', () => {
		const { allowed } = open(3);
		expect([allowed('alice'), allowed('bob'), allowed('__proto__'), allowed('')]).toEqual([3, 3, 3, 3]);
	});

	it('bounds nobody where it is 0, and nobody who is unknown', () => {
		const unbounded = open(0);
		for (let n = 0; n < 1_000; n++) expect(unbounded.mayOpen('alice')).toBe(true);
		const bounded = open(1);
		for (let n = 0; n < 1_000; n++) expect(bounded.mayOpen(undefined)).toBe(true);
	});

	it('is not loosened by a clock that goes back', () => {
		const { clock, allowed } = open(2);
		expect(allowed('alice')).toBe(2);
		clock.advance(-MINUTE);
		expect(allowed('alice')).toBe(0);
	});

	it('forgets who opened longest ago when there are too many, never who opens all the time', () => {
		const { mayOpen } = open(3);
		expect(mayOpen('first')).toBe(true);
		expect([mayOpen('busy'), mayOpen('busy')]).toEqual([true, true]);
		for (let n = 0; n < 9_998; n++) mayOpen(`crowd ${n}`);
		// 'first' is forgotten by this one; 'busy' is not, and is at its bound now.
		expect(mayOpen('busy')).toBe(true);
		for (let n = 0; n < 5_000; n++) mayOpen(`more ${n}`);
		expect(mayOpen('busy')).toBe(false);
		expect([mayOpen('first'), mayOpen('first'), mayOpen('first'), mayOpen('first')]).toEqual([true, true, true, false]);
	});
});
