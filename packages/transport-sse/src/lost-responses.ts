import { visitInTurns } from '@holdfast/session-manager/internal';
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
/** How many sessions one message names: one of many thousands would be larger than an event may be. */
const MAX_NAMED = 5_000;
/** How much is looked up or sent again in one turn of the event loop. */
const AT_ONCE = 100;

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
			visitInTurns(host.context.clock, sessionIds, AT_ONCE, (sessionId) => 1 + this.#resend(sessionId));
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
			const sessionIds = [...this.#untold].slice(0, MAX_NAMED);
			// Whoever loses responses meanwhile is told of again: each node takes one message once.
			for (const sessionId of sessionIds) this.#untold.delete(sessionId);
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

	#resend(sessionId: string): number {
		const { context } = this.#host;
		return this.#sent.resend(sessionId, (event) =>
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
