import type { ResponseMark } from './stream-mark.js';

/** Writers of one stream that are remembered: nodes that have not written for long are not heard again. */
const MAX_WRITERS = 64;

interface Seen {
	/** All up to this one were seen. */
	upTo: number;
	/** And these. */
	readonly after: Set<number>;
}

/** The responses that a stream has carried. */
export class ResponseDedup {
	readonly #writers = new Map<string, Seen>();

	/** Notes a response; `false` when it was seen before. */
	add({ writer, number }: ResponseMark): boolean {
		const seen = this.#writers.get(writer) ?? { upTo: 0, after: new Set() };
		if (number <= seen.upTo || seen.after.has(number)) return false;
		seen.after.add(number);
		while (seen.after.delete(seen.upTo + 1)) seen.upTo++;
		this.#writers.delete(writer);
		this.#writers.set(writer, seen);
		if (this.#writers.size > MAX_WRITERS) {
			const [oldest] = this.#writers.keys();
			if (oldest !== undefined) this.#writers.delete(oldest);
		}
		return true;
	}
}
