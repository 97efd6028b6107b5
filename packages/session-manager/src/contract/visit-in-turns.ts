import type { Clock } from './clock.js';

/**
 * Calls `visit` with each of `items`, in the order of their iterator, and `done` after the last. A visit returns how
 * much it did: once that is `most` or more in one turn of the event loop, another turn goes on. What is added to a
 * `Map` or `Set` meanwhile is visited, too.
 */
export function visitInTurns<T>(
	clock: Pick<Clock, 'after'>,
	items: Iterable<T>,
	most: number,
	visit: (item: T) => number,
	done: () => void = () => {},
): void {
	const iterator = items[Symbol.iterator]();
	const goOn = () => {
		let steps = 0;
		while (steps < most) {
			const next = iterator.next();
			if (next.done === true) {
				done();
				return;
			}
			steps += visit(next.value);
		}
		clock.after(0, goOn);
	};
	goOn();
}
