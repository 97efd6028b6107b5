import type { NodeContext } from '../node/node-context.js';

/** How often an event is tried again while the store is away, and when it is given up, in milliseconds. */
const RETRY_MS = 500;
const GIVE_UP_MS = 5 * 60_000;

/**
 * Sends an event that somebody waits for, and that the store did not take, again and again until the store takes it, the node
 * closes, it is not `wanted` any more, or it is too late. Resolves then; never rejects.
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
