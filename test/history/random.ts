/** Numbers that one seed decides: the same seed gives the same plan (mulberry32). */
export class Random {
	#state: number;

	constructor(seed: number) {
		this.#state = seed >>> 0;
	}

	/** A number from 0 to just below 1. */
	next(): number {
		this.#state = (this.#state + 0x6d2b79f5) >>> 0;
		let mixed = this.#state;
		mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
		mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
	}

	/** A whole number, both ends included. */
	int(from: number, to: number): number {
		return from + Math.floor(this.next() * (to - from + 1));
	}

	chance(probability: number): boolean {
		return this.next() < probability;
	}

	pick<T>(list: readonly T[]): T {
		const value = list[Math.floor(this.next() * list.length)];
		if (value === undefined) throw new TypeError('Nothing to pick from.');
		return value;
	}

	/** Another source, so that what one actor draws does not depend on when the others do. */
	fork(): Random {
		return new Random(Math.floor(this.next() * 4_294_967_296));
	}
}
