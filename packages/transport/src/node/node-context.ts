import { randomBytes } from 'node:crypto';
import {
	type Clock,
	InfoSessionManager,
	InMemoryInfoSessionManager,
	InMemoryStreamSessionManager,
	type MaybePromise,
	SessionManagerError,
	StreamSessionManager,
} from '@holdfast/session-manager';
import { isThenable, systemClock } from '@holdfast/session-manager/custom';
import { lazy, toError } from '@holdfast/session-manager/internal';
import { guardedInfo, guardedStreams } from './guarded-manager.js';
import { observedManager } from './observed-manager.js';
import { Observation, type ObserverOptions, observersOf } from './observer.js';
import { Warnings } from './warnings.js';

/** Options for a node as a whole. */
export interface NodeOptions extends ObserverOptions {
	/**
	 * Where streams and sessions are kept; either may be left out. The caller owns the managers, and closes them.
	 * @default in-memory managers, which this node closes
	 */
	readonly sessionManager?: {
		readonly streams?: StreamSessionManager | undefined;
		readonly info?: InfoSessionManager | undefined;
	};
	/**
	 * The clock that all timers and expiries use.
	 * @default the clock of the machine
	 */
	readonly clock?: Clock;
	/**
	 * Called with errors that reach no client.
	 * @default `process.emitWarning`, once a minute for each kind of error, with how many there were
	 */
	readonly onerror?: (error: Error) => void;
}

/** Handlers that only warn: they give way to one that a user passes. */
const warners = new WeakSet<(error: Error) => void>();

/** Hears the errors of a manager, unless somebody else does. */
function hearErrorsOf(
	manager: StreamSessionManager | InfoSessionManager,
	onerror: (error: Error) => void,
	isWarner: boolean,
): void {
	if (isWarner) warners.add(onerror);
	const current = manager.onerror;
	const isFree = current === undefined || (!isWarner && warners.has(current));
	if (isFree && !Object.isFrozen(manager)) manager.onerror = onerror;
}

/** What all parts of a node share: its name, clock, managers and error reporting. It depends on no part. */
export class NodeContext {
	readonly clock: Clock;
	/**
	 * The stream manager, behind a guard: its methods never throw, and what they return has the shape of the contract.
	 */
	readonly streams: StreamSessionManager;
	/** The info manager, behind the same guard. */
	readonly info: InfoSessionManager;
	/** Who watches this node, if anybody does. */
	readonly observation: Observation | undefined;
	readonly #nodeId = lazy(() => randomBytes(9).toString('base64url'));
	readonly #onerror: (error: Error) => void;
	/** What closes both managers: they themselves, or the pair that they are of. */
	readonly closers: readonly { close(): unknown }[];
	/** Managers that this node made itself. */
	readonly #owned: (StreamSessionManager | InfoSessionManager)[] = [];
	#closed = false;

	constructor({ clock = systemClock, sessionManager, onerror, observe }: NodeOptions) {
		this.clock = clock;
		const streams = sessionManager?.streams ?? this.#own(new InMemoryStreamSessionManager({ clock }));
		const info = sessionManager?.info ?? this.#own(new InMemoryInfoSessionManager({ clock }));
		this.closers = isClosable(sessionManager) ? [sessionManager] : [streams, info];
		const warnings = new Warnings(clock);
		this.#onerror = onerror ?? ((error) => warnings.add(toError(error)));
		for (const manager of [streams, info]) hearErrorsOf(manager, this.#onerror, onerror === undefined);
		this.streams = guardedStreams(streams);
		this.info = guardedInfo(info);
		const observers = observersOf(observe);
		if (observers.length === 0) return;
		const observation = new Observation(observers, this.#nodeId, (error) => this.report(error));
		this.observation = observation;
		this.streams = observedManager(this.streams, StreamSessionManager.prototype, 'streams', clock, observation);
		this.info = observedManager(this.info, InfoSessionManager.prototype, 'info', clock, observation);
	}

	/** The name of this node among those that share the managers; random, and drawn when it is first needed. */
	get nodeId(): string {
		return this.#nodeId();
	}

	/** Whether the node has begun to close. Nothing new may be started then. */
	get closed(): boolean {
		return this.#closed;
	}

	/** Marks the node as closed. */
	markClosed(): void {
		this.#closed = true;
	}

	/**
	 * Calls `onerror` with an error that reaches no client; not with what work that goes on hears of managers that are
	 * closed behind this node. Never throws.
	 */
	report(error: unknown): void {
		if (this.#closed && error instanceof SessionManagerError && error.code === 'closed') return;
		try {
			this.#onerror(toError(error));
		} catch {
			// The failed work may still have to respond to a client and free resources, so a throw of `onerror` must not stop
			// it.
		}
	}

	/** Runs work that nobody awaits. A throw or a rejection is reported. */
	background(work: () => MaybePromise<unknown>): void {
		try {
			const done = work();
			if (isThenable(done)) Promise.resolve(done).catch((error: unknown) => this.report(error));
		} catch (error) {
			this.report(error);
		}
	}

	/** Closes the managers that this node made itself. */
	async closeManagers(): Promise<void> {
		for (const manager of this.#owned) await manager.close();
	}

	#own<T extends StreamSessionManager | InfoSessionManager>(manager: T): T {
		this.#owned.push(manager);
		return manager;
	}
}

function isClosable(sessionManager: object | undefined): sessionManager is { close(): unknown } {
	return sessionManager !== undefined && 'close' in sessionManager && typeof sessionManager.close === 'function';
}
