import type { SessionHost } from './session-host.js';

/** How long, and how often, an event is tried again while the store is away, in milliseconds. */
const RETRY_MS = 500;
const GIVE_UP_MS = 5 * 60_000;

/**
 * Sends an event that somebody waits for, and that the store did not take, again and again until the store takes it, the node
 * closes, it is not `wanted` any more, or it is too late. Resolves then; never rejects.
 */
export function sendLate(
	host: SessionHost,
	streamId: string,
	event: string,
	wanted: () => boolean = () => true,
): Promise<void> {
	const giveUpAt = host.clock.now() + GIVE_UP_MS;
	return new Promise((resolve) => {
		const retry = async () => {
			if (host.closed || !wanted() || host.clock.now() > giveUpAt) return resolve();
			try {
				await host.streams.send([streamId], event);
				resolve();
			} catch {
				host.clock.after(RETRY_MS, () => void retry());
			}
		};
		host.clock.after(RETRY_MS, () => void retry());
	});
}
