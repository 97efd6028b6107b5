import { isThenable, type MaybePromise } from '@holdfast/session-manager/custom';
import type { NodeContext } from '@holdfast/transport/internal';

/** For how long a node believes that another one holds the stream, in milliseconds. */
const BELIEVED_MS = 1_000;
/** How long, and how often, a stream that nobody holds is looked for: its node may have lost the store for a moment. */
const RECHECK_MS = 4_000;
const RECHECK_EVERY_MS = 250;

/** Knows on a node whether another one holds the stream of a session, and asks the store once a second at most. */
export class StreamPresence {
	readonly #context: Pick<NodeContext, 'clock' | 'streams'>;
	readonly #sessionId: string;
	/** On the monotonic clock. */
	#seenAt = Number.NEGATIVE_INFINITY;
	#looking: Promise<boolean> | undefined;

	constructor(context: Pick<NodeContext, 'clock' | 'streams'>, sessionId: string) {
		this.#context = context;
		this.#sessionId = sessionId;
	}

	/** Whether some node holds the stream, as far as the store knows; `true` while it is away. Never rejects. */
	isThere(): MaybePromise<boolean> {
		const { clock, streams } = this.#context;
		if (this.#looking !== undefined) return this.#looking;
		if (clock.monotonic() - this.#seenAt < BELIEVED_MS) return true;
		const held = streams.has(this.#sessionId);
		if (!isThenable(held)) return this.#see(held);
		this.#looking = this.#look(held).finally(() => {
			this.#looking = undefined;
		});
		return this.#looking;
	}

	async #look(first: PromiseLike<boolean>): Promise<boolean> {
		const { clock, streams } = this.#context;
		const end = clock.monotonic() + RECHECK_MS;
		try {
			let isHeld = await first;
			while (!isHeld && clock.monotonic() < end) {
				await new Promise<void>((resolve) => clock.after(RECHECK_EVERY_MS, resolve));
				isHeld = await streams.has(this.#sessionId);
			}
			return this.#see(isHeld);
		} catch {
			// An unavailable store says nothing about the stream.
			return this.#see(true);
		}
	}

	#see(isHeld: boolean): boolean {
		if (isHeld) this.#seenAt = this.#context.clock.monotonic();
		return isHeld;
	}
}
