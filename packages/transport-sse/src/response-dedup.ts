import type { ResponseMark } from './stream-mark.js';

/** How many writers of one stream are remembered. Past it, the one that wrote longest ago is evicted. */
const MAX_WRITERS = 64;

interface SeenNumbers {
	/** Every number up to this one was seen. */
	upTo: number;
	/** And so were these. */
	readonly after: Set<number>;
}

/** Knows which responses a stream has carried, so that one that was sent twice reaches the client once. */
export class ResponseDedup {
	readonly #writers = new Map<string, SeenNumbers>();

	/** Records a response. Returns `false` when it was seen before. */
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
