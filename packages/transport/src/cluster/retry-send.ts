import type { NodeContext } from '../node/node-context.js';

/**
 * How often the event is sent again while the store is unavailable, and after how long it is given up, in milliseconds.
 */
const RETRY_MS = 500;
const GIVE_UP_MS = 5 * 60_000;

/**
 * Sends an event again and again after the store refused it, until the store takes it, the node closes, `wanted`
 * returns `false`, or five minutes have passed. Resolves then; never rejects. The event may arrive twice where the
 * store took it in spite of its error.
 */
export function retrySend(
	context: NodeContext,
	streamId: string,
	event: string,
	wanted: () => boolean = () => true,
): Promise<void> {
	const { clock, streams } = context;
	const giveUpAt = clock.monotonic() + GIVE_UP_MS;
	return new Promise((resolve) => {
		const retry = async () => {
			if (context.closed || !wanted() || clock.monotonic() > giveUpAt) return resolve();
			try {
				await streams.send([streamId], event);
				resolve();
			} catch {
				clock.after(RETRY_MS, () => void retry());
			}
		};
		clock.after(RETRY_MS, () => void retry());
	});
}
