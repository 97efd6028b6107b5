import type { Clock, MaybePromise } from '@holdfast/session-manager';
import { whenReady } from '@holdfast/session-manager/custom';
import type { Connection } from './connection.js';

/** How long a client may read nothing before its connection is broken off, in milliseconds. */
const STALLED_MS = 30_000;

/** What waits until the client of a connection reads on: one for all who wait. */
const waits = new WeakMap<Connection, Promise<void>>();

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
		while (connection.open && (connection.room ?? 1) <= -maxUnread) await untilRead(connection, clock);
		await write(event);
	}
}

/**
 * Returns what an event that is `sent` waits for: where its connection is over its high-water mark, also for the client
 * to read on. Whoever awaits it sends no faster than the client reads.
 */
export function pacedSend(connection: Connection, clock: Clock, sent: MaybePromise<void>): MaybePromise<void> {
	if ((connection.room ?? 1) > 0) return sent;
	return whenReady(sent, () => untilRead(connection, clock));
}

/**
 * Resolves when the client has read on, when the connection has ended, and after 30 seconds. A client that reads
 * nothing during these is cut off.
 */
export function untilRead(connection: Connection, clock: Clock): MaybePromise<void> {
	if (!connection.open) return;
	const known = waits.get(connection);
	if (known !== undefined) return known;
	const before = connection.taken;
	const read = new Promise<void>((resolve) => {
		const done = () => {
			stop();
			waits.delete(connection);
			resolve();
		};
		const stop = clock.after(STALLED_MS, () => {
			if (connection.taken === before) connection.error(new Error('The client did not read.'));
			done();
		});
		connection.onRead(done);
	});
	waits.set(connection, read);
	return read;
}
