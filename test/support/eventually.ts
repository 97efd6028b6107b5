import { expect } from 'vitest';

/** An expectation of what `look` shows, soon if not now: for what no event tells of. */
export function eventually<T>(look: () => T) {
	return expect.poll(look, { timeout: 5_000, interval: 5 });
}
