import { OTHER } from './conventions.js';

/**
 * The values of one label. A client can send any name; only those that were admitted become values, up to a limit, and
 * the rest is one value together.
 */
export class KnownValues {
	readonly #max: number;
	readonly #known = new Set<string>();

	constructor(max: number) {
		this.#max = max;
	}

	/** Makes a value known, as far as there is room. */
	admit(value: string): void {
		if (this.#known.size < this.#max) this.#known.add(value);
	}

	/** Returns the value, or what stands for all that are not known. */
	of(value: string): string {
		return this.#known.has(value) ? value : OTHER;
	}
}
