import { within } from './deadline.ts';

/** Things that happen, in order, for tests that wait until enough has happened. */
export class Mailbox<T> {
	readonly items: T[] = [];
	readonly #waiting = new Set<() => void>();

	push(item: T): void {
		this.items.push(item);
		for (const look of this.#waiting) look();
	}

	/** Resolves as soon as `isEnough` holds for everything that came so far. */
	async until(isEnough: (items: readonly T[]) => boolean, awaited: string): Promise<void> {
		if (isEnough(this.items)) return;
		let look = () => {};
		const enough = new Promise<void>((resolve) => {
			look = () => {
				if (isEnough(this.items)) resolve();
			};
		});
		this.#waiting.add(look);
		try {
			await within(enough, awaited);
		} catch (cause) {
			throw new Error(`There is no ${awaited}; there is only ${JSON.stringify(this.items)}.`, { cause });
		} finally {
			this.#waiting.delete(look);
		}
	}

	/** Resolves as soon as there are `count` items. */
	count(count: number, awaited: string): Promise<void> {
		return this.until(({ length }) => length >= count, awaited);
	}
}
