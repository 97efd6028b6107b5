import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { RequestBoundClock } from '../src/contract/request-bound-clock.ts';

beforeEach(() => {
	vi.useFakeTimers();
});
afterEach(() => {
	vi.useRealTimers();
});

/** A request ends, and with it the timers that it has set. */
const requestEnds = () => vi.clearAllTimers();

it('calls a task once when it falls due, while the request that set it is open', () => {
	const clock = new RequestBoundClock();
	const called: number[] = [];
	clock.after(100, () => called.push(clock.monotonic()));
	clock.requestBegins();
	const begun = clock.monotonic();
	vi.advanceTimersByTime(99);
	expect(called).toEqual([]);
	vi.advanceTimersByTime(200);
	expect(called).toEqual([begun + 100]);
});

it('calls what a request left behind in the next one, in order', () => {
	const clock = new RequestBoundClock();
	const called: string[] = [];
	clock.after(50, () => called.push('b'));
	clock.after(20, () => called.push('a'));
	clock.after(500, () => called.push('c'));
	requestEnds();
	vi.advanceTimersByTime(100);
	expect(called).toEqual([]);
	clock.requestBegins();
	expect(called).toEqual(['a', 'b']);
	vi.advanceTimersByTime(400);
	expect(called).toEqual(['a', 'b', 'c']);
});

it('goes on in an open request with what a task of another sets, as long as that request is open', () => {
	const clock = new RequestBoundClock();
	let ticks = 0;
	const tick = () => {
		ticks++;
		clock.after(100, tick);
	};
	clock.after(100, tick);
	requestEnds();
	clock.requestBegins();
	vi.advanceTimersByTime(1_000);
	expect(ticks).toBe(10);
	requestEnds();
	vi.advanceTimersByTime(1_000);
	expect(ticks).toBe(10);
});

it('does not call what was cancelled, from whichever request', () => {
	const clock = new RequestBoundClock();
	const cancel = clock.after(100, () => expect.unreachable());
	clock.requestBegins();
	cancel();
	vi.advanceTimersByTime(200);
});

it('calls the others where one throws', () => {
	const clock = new RequestBoundClock();
	let called = false;
	clock.after(10, () => {
		throw new Error('of a task');
	});
	clock.after(20, () => {
		called = true;
	});
	requestEnds();
	vi.advanceTimersByTime(10);
	expect(() => clock.requestBegins()).toThrow('of a task');
	vi.advanceTimersByTime(10);
	expect(called).toBe(true);
});
