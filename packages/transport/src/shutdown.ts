import type { Server } from 'node:http';
import { systemClock } from '@holdfast/session-manager/custom';
import { checkOptions, hasMethods, ms, type OptionSchemas, option, shown } from '@holdfast/session-manager/internal';
import { DEFAULT_DELAY_MS, type DrainOptions, drain, drainSchemas, pause } from './drain.js';
import { ClosingServer } from './http/closing-server.js';
import { hostOf, type ServerTransport } from './server-transport.js';

/** Options of {@link shutdown}. */
export interface ShutdownOptions extends DrainOptions {
	/**
	 * For how long idle connections are left to whoever keeps them, in milliseconds. A balancer may be sending a request
	 * on one, so it should let go of them sooner than that.
	 * @default 5_000
	 */
	readonly idleConnectionsMs?: number;
	/** Cuts the wait short when it aborts: what still runs gets its error then. */
	readonly signal?: AbortSignal;
}

const schemas: OptionSchemas<ShutdownOptions> = {
	...drainSchemas,
	idleConnectionsMs: ms,
	signal: option('an AbortSignal', (value) => value instanceof AbortSignal),
};

/** How long clients may take to read what they were sent last, in milliseconds. */
const FLUSH_MS = 2_000;
const FLUSH_CHECK_MS = 20;

const shutdowns = new WeakMap<Server, Promise<void>>();

/**
 * Stops a server of `node:http` or `node:https` and the transports that it serves, so that no call fails that ends
 * within the limit:
 *
 * 1. `isReady()` gives `false`, and each response closes its connection. Everything is served as before for `delayMs`.
 * 2. The server accepts no more connections. Those that balancers keep stay open until they let go of them, for
 *    `idleConnectionsMs` at most, and what still comes on them is served.
 * 3. Streams close, and their clients go on at other nodes. Requests in flight end, within `timeoutMs`, on all
 *    transports together: none refuses while another still works.
 * 4. What still runs then gets an error. Waiting state is written, the transports and their managers close, and so does
 *    every connection.
 *
 * After that, nothing of them keeps the process alive. Database clients that you gave to managers stay yours to close.
 * Never rejects: failures go to `onerror` of the transports. Idempotent: later calls return the promise of the first.
 * Throws `TypeError` for arguments that cannot work.
 *
 * @example
 * ```ts source="test/examples/shutdown.examples.ts#shutdown"
 * process.once('SIGTERM', () => shutdown(server, [http, sse]));
 * ```
 */
export function shutdown(
	server: Server,
	transports: readonly ServerTransport[],
	options: ShutdownOptions = {},
): Promise<void> {
	checkOptions('shutdown', schemas, options);
	checkParts(server, transports);
	const known = shutdowns.get(server);
	if (known !== undefined) return known;
	// The timers of a clock do not keep a process alive, and the server soon does no more.
	const alive = setInterval(() => {}, 60_000);
	const done = leave(server, transports, options).finally(() => clearInterval(alive));
	shutdowns.set(server, done);
	return done;
}

function checkParts(server: unknown, transports: unknown): void {
	if (!hasMethods(server, ['close', 'on', 'listen']))
		throw new TypeError(`shutdown needs the server of node:http or node:https first, not ${shown(server)}.`);
	if (Array.isArray(transports) && transports.every((each) => hasMethods(each, ['handle', 'drain', 'close']))) return;
	throw new TypeError(`shutdown needs the list of transports second, such as [transport], not ${shown(transports)}.`);
}

async function leave(server: Server, transports: readonly ServerTransport[], options: ShutdownOptions): Promise<void> {
	const { delayMs = DEFAULT_DELAY_MS, idleConnectionsMs = 5_000, signal } = options;
	const contexts = transports.map((transport) => hostOf(transport).context);
	const clock = contexts[0]?.clock ?? systemClock;
	const closing = new ClosingServer(server);
	const nodes = transports.map((transport) => hostOf(transport).leave());
	await pause(clock, delayMs, signal);

	closing.stopAccepting();
	const idleUntil = clock.monotonic() + idleConnectionsMs;
	const mayEnd = () => closing.isEmpty || (!closing.isResponding && clock.monotonic() >= idleUntil);
	await drain(clock, nodes, options, mayEnd, signal);

	await Promise.all(transports.map((transport) => transport.close()));
	// What was written last must reach its client.
	const flushedBy = clock.monotonic() + FLUSH_MS;
	while (!closing.isEmpty && clock.monotonic() < flushedBy) {
		closing.closeIdle();
		await pause(clock, FLUSH_CHECK_MS);
	}
	closing.closeAll();

	for (const closer of new Set(contexts.flatMap(({ closers }) => closers))) {
		try {
			await closer.close();
		} catch (error) {
			contexts[0]?.report(error);
		}
	}
}
