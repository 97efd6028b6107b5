import { ManualClock } from '@holdfast/session-manager/testing';
import { describe, expect, it } from 'vitest';
import { SweepTimer } from '../../src/session/sweep-timer.ts';

const START = 1_000_000;

/** A timer with an interval of 1 s, and when it swept, counted from the start. */
function open() {
	const clock = new ManualClock(START);
	const swept: number[] = [];
	const timer = new SweepTimer(clock, 1_000, () => swept.push(clock.now() - START));
	return { clock, swept, timer };
}

describe('a timer for sweeps', () => {
	it('sweeps at the earliest time that it was told, once', () => {
		const { clock, swept, timer } = open();
		for (const ms of [500, 300, 400]) timer.by(START + ms);
		clock.advance(10_000);
		expect(swept).toEqual([300]);
	});

	it('sweeps after an interval at the latest, however late the time is', () => {
		const { clock, swept, timer } = open();
		timer.by(Number.POSITIVE_INFINITY);
		clock.advance(10_000);
		expect(swept).toEqual([1_000]);
	});

	it('sweeps no more often than every 25 ms, however many times are told', () => {
		const { clock, swept, timer } = open();
		for (let ms = 0; ms < 100; ms++) {
			timer.by(START + ms);
			clock.advance(1);
		}
		expect(swept).toEqual([25, 50, 75, 100]);
	});

	it('can be told the next time by the sweep itself', () => {
		const clock = new ManualClock(START);
		let sweeps = 0;
		const timer: SweepTimer = new SweepTimer(clock, 1_000, () => {
			if (++sweeps < 3) timer.by(clock.now() + 100);
		});
		timer.by(START + 100);
		clock.advance(10_000);
		expect(sweeps).toBe(3);
	});

	it('sweeps no more once it is closed', () => {
		const { clock, swept, timer } = open();
		timer.by(START + 100);
		timer.close();
		timer.by(START + 200);
		clock.advance(10_000);
		expect(swept).toEqual([]);
	});
});
