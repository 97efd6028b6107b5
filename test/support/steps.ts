import { within } from './deadline.ts';
import type { Tool } from './servers.ts';

/** A tool that counts aloud, one number each time it is told to, and answers when told to finish; for one call. */
export class Steps {
	readonly #orders: ('step' | 'finish')[] = [];
	#wake = () => {};
	#said = 0;
	readonly #waiting: { readonly n: number; readonly resolve: () => void }[] = [];
	#finished = () => {};
	readonly #finish = new Promise<void>((resolve) => {
		this.#finished = resolve;
	});

	/** The tool: it says each number on the stream of its call. */
	readonly tool: Tool = async ({ here }) => {
		for (;;) {
			const order = await this.#next();
			if (order === 'finish') break;
			// Whatever level the client has set, it hears this.
			await here.log('emergency', { n: ++this.#said });
			for (const { n, resolve } of this.#waiting) if (n <= this.#said) resolve();
		}
		setImmediate(this.#finished);
		return `counted to ${this.#said}`;
	};

	/** Has the tool say the next numbers; resolves when they are said. */
	take(count = 1): Promise<void> {
		const n = this.#said + count;
		const said = new Promise<void>((resolve) => {
			this.#waiting.push({ n, resolve });
		});
		for (let step = 0; step < count; step++) this.#order('step');
		return within(said, `the number ${n}`);
	}

	/** Has the tool answer; resolves when it has. */
	finish(): Promise<void> {
		this.#order('finish');
		return within(this.#finish, 'the end of the counting');
	}

	#order(order: 'step' | 'finish'): void {
		this.#orders.push(order);
		this.#wake();
	}

	async #next(): Promise<'step' | 'finish'> {
		for (;;) {
			const order = this.#orders.shift();
			if (order !== undefined) return order;
			await new Promise<void>((resolve) => {
				this.#wake = resolve;
			});
		}
	}
}
