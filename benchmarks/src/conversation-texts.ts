/** How many words there are, and how many a text has. */
const [VOCABULARY, LENGTH] = [20_000, 30];

/** What somebody searches for. */
export interface BenchQuery {
	/** As `search` takes it. */
	readonly query: string;
	/** The same as words that must all be in a text. */
	readonly words: readonly string[];
}

/**
 * Texts whose words are as common as in a language (Zipf's law): the most common one is in almost every text, and most
 * are in a few of a thousand. The same numbers make the same texts.
 */
export class ConversationTexts {
	#state: number;
	readonly #sums: readonly number[];

	constructor(seed = 1) {
		this.#state = seed;
		let sum = 0;
		this.#sums = Array.from({ length: VOCABULARY }, (_, rank) => {
			sum += 1 / (rank + 1);
			return sum;
		});
	}

	/** A whole number below `limit`. */
	below(limit: number): number {
		// A linear congruential generator (Numerical Recipes).
		this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0;
		return Math.floor((this.#state / 2 ** 32) * limit);
	}

	text(): string {
		return Array.from({ length: LENGTH }, () => wordOf(this.#rank())).join(' ');
	}

	/** What people search for, in turn: a common word, a rarer one, two words, a phrase, the beginning of a word. */
	queries(count: number): BenchQuery[] {
		return Array.from({ length: count }, (_, index) => {
			const [common, rare] = [wordOf(this.below(10)), wordOf(200 + this.below(2_000))];
			switch (index % 5) {
				case 0:
					return { query: common, words: [common] };
				case 1:
					return { query: rare, words: [rare] };
				case 2:
					return { query: `${common} ${rare}`, words: [common, rare] };
				case 3:
					return { query: `"${common} ${wordOf(this.below(50))}"`, words: [common] };
				default:
					return { query: `${rare.slice(0, 5)}*`, words: [rare.slice(0, 5)] };
			}
		});
	}

	#rank(): number {
		const wanted = (this.below(2 ** 30) / 2 ** 30) * (this.#sums.at(-1) ?? 0);
		let [low, high] = [0, VOCABULARY - 1];
		while (low < high) {
			const middle = (low + high) >> 1;
			if ((this.#sums[middle] ?? 0) < wanted) low = middle + 1;
			else high = middle;
		}
		return low;
	}
}

/** A word for each number, of syllables. */
function wordOf(rank: number): string {
	const syllables = ['ba', 'ke', 'li', 'mo', 'nu', 'ra', 'se', 'ti', 'vo', 'zu'];
	return [...String(rank + 1_000)].map((digit) => syllables[Number(digit)]).join('');
}
