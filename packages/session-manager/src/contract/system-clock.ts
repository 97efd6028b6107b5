import type { Clock } from './clock.js';
import { RequestBoundClock } from './request-bound-clock.js';

function timer(delayMs: number, task: () => void, keepsProcess: boolean): () => void {
	let left = delayMs;
	let timer: ReturnType<typeof setTimeout>;
	const wait = () => {
		// `setTimeout` fires at once when its delay is longer than this.
		const delay = Math.min(left, 2 ** 31 - 1);
		left -= delay;
		timer = setTimeout(left > 0 ? wait : task, delay);
		// Runtimes other than Node return a number here.
		if (!keepsProcess && typeof timer === 'object') timer.unref();
	};
	wait();
	return () => clearTimeout(timer);
}

const machineClock: Clock = Object.freeze({
	now: Date.now,
	monotonic: () => performance.now(),
	after: (delayMs: number, task: () => void) => timer(delayMs, task, false),
});

// The types of Node.js 20 do not know it.
const { navigator } = globalThis as { readonly navigator?: { readonly userAgent?: string } };
const isRequestBound = navigator?.userAgent === 'Cloudflare-Workers';

/** The clock of the machine. */
export const systemClock: Clock = isRequestBound ? new RequestBoundClock() : machineClock;

/**
 * Like `systemClock.after`, but the process lives until the task is called or cancelled: it is for the latest moment
 * at which somebody who waits gets an answer.
 */
export function deadline(delayMs: number, task: () => void): () => void {
	return isRequestBound ? systemClock.after(delayMs, task) : timer(delayMs, task, true);
}
