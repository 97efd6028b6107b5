import type { Clock } from './clock.js';
import { RequestBoundClock } from './request-bound-clock.js';

const machineClock: Clock = Object.freeze({
	now: Date.now,
	monotonic: () => performance.now(),
	after(delayMs: number, task: () => void) {
		let left = delayMs;
		let timer: ReturnType<typeof setTimeout>;
		const wait = () => {
			// `setTimeout` fires at once when its delay is longer than this.
			const delay = Math.min(left, 2 ** 31 - 1);
			left -= delay;
			timer = setTimeout(left > 0 ? wait : task, delay);
			// Runtimes other than Node return a number here.
			if (typeof timer === 'object') timer.unref();
		};
		wait();
		return () => clearTimeout(timer);
	},
});

// The types of Node.js 20 do not know it.
const { navigator } = globalThis as { readonly navigator?: { readonly userAgent?: string } };

/** The clock of the machine. */
export const systemClock: Clock =
	navigator?.userAgent === 'Cloudflare-Workers' ? new RequestBoundClock() : machineClock;
