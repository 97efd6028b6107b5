import { retrySend, type SessionHost } from '@holdfast/transport/internal';
import type { SentResponses } from './sent-responses.js';

/** For how long the other nodes are told, in milliseconds: what cut this one off may have cut them off, too. */
const TELL_MS = 10_000;
/**
 * How long the next message waits, which is another attempt where the store is unavailable, and when it is given up, in
 * milliseconds.
 */
const RETRY_MS = 500;
const GIVE_UP_MS = 30_000;

/** Has responses sent again that may be lost, by whichever node sent them. */
export class LostResponses {
	readonly #host: SessionHost;
	readonly #sent: SentResponses;
	/** The sessions of which the other nodes are to be told. */
	readonly #untold = new Set<string>();
	#isTelling = false;

	constructor(host: SessionHost, sent: SentResponses) {
		this.#host = host;
		this.#sent = sent;
		host.bus.on('responses-lost', ({ sessionIds }) => {
			for (const sessionId of sessionIds) this.#resend(sessionId);
		});
	}

	/** Responses for a stream that this node holds may be lost: whoever sent some lately sends them again. */
	report(sessionId: string): void {
		this.#resend(sessionId);
		this.#untold.add(sessionId);
		if (!this.#isTelling) this.#host.context.background(() => this.#tell());
	}

	/** Many streams are restored at about the same time: those that come while one message is under way go together. */
	async #tell(): Promise<void> {
		const { context, bus } = this.#host;
		this.#isTelling = true;
		let giveUpAt = context.clock.monotonic() + GIVE_UP_MS;
		while (this.#untold.size > 0 && !context.closed && context.clock.monotonic() < giveUpAt) {
			const sessionIds = [...this.#untold];
			// Whoever loses responses meanwhile is told of again: each node takes one message once.
			this.#untold.clear();
			try {
				await bus.tellAllAgain({ type: 'responses-lost', sessionIds }, TELL_MS);
				giveUpAt = context.clock.monotonic() + GIVE_UP_MS;
			} catch {
				for (const sessionId of sessionIds) this.#untold.add(sessionId);
			}
			// A stream that loses something again and again must not fill the way between the nodes.
			await new Promise<void>((resolve) => void context.clock.after(RETRY_MS, resolve));
		}
		this.#isTelling = false;
	}

	#resend(sessionId: string): void {
		const { context } = this.#host;
		this.#sent.resend(sessionId, (event) =>
			context.background(async () => {
				try {
					await context.streams.send([sessionId], event);
				} catch {
					await retrySend(context, sessionId, event);
				}
			}),
		);
	}
}
