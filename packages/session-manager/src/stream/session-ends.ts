import { systemClock } from '../contract/system-clock.js';

/** How long the end of a session waits for a command that can tell it, in milliseconds. */
const WAIT_MS = 100;

interface End {
	/** When the session ends, on the machine's monotonic clock. */
	readonly at: number;
	readonly told: Promise<void>;
	readonly resolve: () => void;
	readonly reject: (error: unknown) => void;
}

/**
 * When sessions end, for a store that is to know it. Whoever opens its stream has mostly just begun or extended the
 * session, so the command that takes the stream tells the store; what none has told after a moment is told by itself.
 */
export class SessionEnds {
	readonly #tell: (id: string, ms: number) => Promise<void>;
	readonly #ends = new Map<string, End>();
	#stop: (() => void) | undefined;

	/** `tell` tells the store in how many milliseconds a session ends. */
	constructor(tell: (id: string, ms: number) => Promise<void>) {
		this.#tell = tell;
	}

	/** The session ends in `ms` milliseconds. Settles as the command does that tells the store. */
	add(id: string, ms: number): Promise<void> {
		const known = this.#ends.get(id);
		let resolve = known?.resolve ?? (() => {});
		let reject: End['reject'] = known?.reject ?? (() => {});
		const told =
			known?.told ??
			new Promise<void>((done, failed) => {
				resolve = done;
				reject = failed;
			});
		this.#ends.set(id, { at: systemClock.monotonic() + ms, told, resolve, reject });
		this.#stop ??= systemClock.after(WAIT_MS, () => void this.flush());
		return told;
	}

	/** Runs a command that can tell the store in how many milliseconds the session ends, if that is to be told. */
	async carry<T>(id: string, command: (endsInMs: number | undefined) => Promise<T>): Promise<T> {
		const end = this.#ends.get(id);
		if (end === undefined) return command(undefined);
		this.#ends.delete(id);
		try {
			const result = await command(msUntil(end));
			end.resolve();
			return result;
		} catch (error) {
			end.reject(error);
			throw error;
		}
	}

	/** Nothing is to be told of the session any more. */
	forget(id: string): void {
		this.#ends.get(id)?.resolve();
		this.#ends.delete(id);
	}

	/** Tells the store at once what it does not know. */
	async flush(): Promise<void> {
		this.#stop?.();
		this.#stop = undefined;
		const ends = [...this.#ends];
		this.#ends.clear();
		await Promise.all(ends.map(([id, end]) => this.#tell(id, msUntil(end)).then(end.resolve, end.reject)));
	}
}

function msUntil({ at }: End): number {
	return Math.max(0, at - systemClock.monotonic());
}
