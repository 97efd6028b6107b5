import type { Clock, MaybePromise } from '@holdfast/session-manager';
import type { Connection } from './connection.js';

/** How long a client may read nothing before its connection is broken off, in milliseconds. */
const STALLED_MS = 30_000;

/**
 * Calls `write` with each event, and waits while the client of `connection` has more than `maxUnread` bytes to read
 * beyond its high-water mark. A client that stops reading is cut off; after the end, nothing waits.
 */
export async function pacedWrite(
	connection: Connection,
	clock: Clock,
	events: readonly string[],
	maxUnread: number,
	write: (event: string) => MaybePromise<void>,
): Promise<void> {
	for (const event of events) {
		while (connection.open && (connection.desiredSize ?? 1) <= -maxUnread) await untilRead(connection, clock);
		await write(event);
	}
}

/** Resolves when the client has read on, and breaks the connection off where it reads nothing. */
function untilRead(connection: Connection, clock: Clock): Promise<void> {
	const before = connection.desiredSize ?? 0;
	return new Promise((resolve) => {
		const stop = clock.after(STALLED_MS, () => {
			// Connections tell only when little is left.
			if ((connection.desiredSize ?? 0) <= before) connection.error(new Error('The client did not read.'));
			resolve();
		});
		connection.onRead(() => {
			stop();
			resolve();
		});
	});
}
