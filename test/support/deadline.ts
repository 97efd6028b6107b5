/** How long a test waits for something that should happen at once, in milliseconds. */
const DEADLINE_MS = 5_000;

/** The outcome of `promise`; a failure that names `what` when it does not come in time. */
export async function within<T>(promise: PromiseLike<T>, what: string, deadlineMs = DEADLINE_MS): Promise<T> {
	let timer: NodeJS.Timeout | undefined;
	const late = new Promise<never>((_, reject) => {
		timer = setTimeout(() => reject(new Error(`Waited ${deadlineMs} ms in vain for ${what}.`)), deadlineMs);
	});
	try {
		return await Promise.race([promise, late]);
	} finally {
		clearTimeout(timer);
	}
}

/** Something that happens once, and can be waited for. */
export class Happening<T = void> {
	#resolve: (value: T) => void = () => {};
	readonly #promise = new Promise<T>((resolve) => {
		this.#resolve = resolve;
	});
	readonly #what: string;
	#done = false;

	constructor(what: string) {
		this.#what = what;
	}

	get done(): boolean {
		return this.#done;
	}

	happen(value: T): void {
		this.#done = true;
		this.#resolve(value);
	}

	/** Resolves when it happens; fails when that takes too long. */
	wait(): Promise<T> {
		return within(this.#promise, this.#what);
	}
}

/** Lets everything run that is ready to: promises, and what the sockets of this process have received. */
export async function settle(): Promise<void> {
	for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
}
