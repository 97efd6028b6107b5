import { systemClock } from '@holdfast/session-manager/custom';
import { deadline } from '@holdfast/session-manager/internal';
import { ManualClock } from '@holdfast/session-manager/testing';
import { describe, expect, it } from 'vitest';

describe('a manual clock', () => {
	it('stands still until it is moved', () => {
		const clock = new ManualClock(100);
		let ran = 0;
		clock.after(0, () => ran++);
		expect(clock.now()).toBe(100);
		expect(ran).toBe(0);
		clock.advance(5);
		expect(clock.now()).toBe(105);
		expect(ran).toBe(1);
	});

	it('runs what falls due in order of time, each at its own time, once', () => {
		const clock = new ManualClock();
		const ran: (readonly [string, number])[] = [];
		for (const [name, delay] of [
			['c', 30],
			['a', 10],
			['later', 31],
			['b', 20],
			['b2', 20],
		] as const) {
			clock.after(delay, () => ran.push([name, clock.now()]));
		}
		clock.advance(30);
		clock.advance(0);
		expect(ran).toEqual([
			['a', 10],
			['b', 20],
			['b2', 20],
			['c', 30],
		]);
		clock.advance(1);
		expect(ran.at(-1)).toEqual(['later', 31]);
	});

	it('runs what a task asks for on the way', () => {
		const clock = new ManualClock();
		const times: number[] = [];
		const again = () => {
			times.push(clock.now());
			clock.after(10, again);
		};
		clock.after(10, again);
		clock.advance(35);
		expect(times).toEqual([10, 20, 30]);
	});

	it('does not run what was called off, also by another task', () => {
		const clock = new ManualClock();
		let ran = 0;
		clock.after(5, () => ran++)();
		const callOff = clock.after(10, () => ran++);
		clock.after(9, callOff);
		clock.advance(100);
		callOff();
		expect(ran).toBe(0);
	});
});

describe("the machine's clock", () => {
	const wait = (ms: number) => new Promise<void>((resolve) => void setTimeout(resolve, ms));

	it('tells the time and runs a task once the delay is over', async () => {
		const start = systemClock.now();
		expect(Math.abs(start - Date.now())).toBeLessThan(1000);
		const keepAlive = setTimeout(() => {}, 10_000);
		await new Promise<void>((resolve) => void systemClock.after(20, resolve));
		clearTimeout(keepAlive);
		expect(systemClock.now() - start).toBeGreaterThanOrEqual(18);
	});

	it('runs nothing early, however far away it is, nor what was called off', async () => {
		let ran = 0;
		const callOffs = [2 ** 31, 2 ** 40, Number.POSITIVE_INFINITY].map((delay) => systemClock.after(delay, () => ran++));
		systemClock.after(1, () => ran++)();
		await wait(30);
		expect(ran).toBe(0);
		for (const callOff of callOffs) callOff();
	});

	it('keeps no process alive', () => {
		const timers = () => process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length;
		const before = timers();
		const callOff = systemClock.after(60_000, () => {});
		expect(timers()).toBe(before);
		callOff();
	});

	it('keeps it alive for what somebody waits for, until that is called off', () => {
		const timers = () => process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length;
		const before = timers();
		const callOff = deadline(60_000, () => {});
		expect(timers()).toBe(before + 1);
		callOff();
		expect(timers()).toBe(before);
	});
});
