import { randomBytes } from 'node:crypto';
import {
	type Clock,
	type InfoSessionManager,
	InMemoryInfoSessionManager,
	InMemoryStreamSessionManager,
	type MaybePromise,
	type StreamSessionManager,
} from '@holdfast/session-manager';
import { isThenable, systemClock } from '@holdfast/session-manager/custom';
import { toError } from '@holdfast/session-manager/internal';

/** Options of a node as a whole. */
export interface NodeOptions {
	/** Where sessions are kept; either may be left out (default: in memory). They belong to the caller, who closes them. */
	readonly sessionManager?: {
		readonly streams?: StreamSessionManager | undefined;
		readonly info?: InfoSessionManager | undefined;
	};
	/** Where time comes from (default: the machine). */
	readonly clock?: Clock;
	/** Called with errors that reach no client. Unset, they are dropped. */
	readonly onerror?: (error: Error) => void;
}

/** What every part of a node shares. It knows none of them. */
export class NodeContext {
	/** Names this node among the others; random at start. */
	readonly nodeId = randomBytes(9).toString('base64url');
	readonly clock: Clock;
	readonly streams: StreamSessionManager;
	readonly info: InfoSessionManager;
	readonly #onerror: ((error: Error) => void) | undefined;
	/** Managers that nobody gave us. */
	readonly #owned: (StreamSessionManager | InfoSessionManager)[] = [];
	#closed = false;

	constructor({ clock = systemClock, sessionManager, onerror }: NodeOptions) {
		this.clock = clock;
		this.streams = sessionManager?.streams ?? this.#own(new InMemoryStreamSessionManager({ clock }));
		this.info = sessionManager?.info ?? this.#own(new InMemoryInfoSessionManager({ clock }));
		this.#onerror = onerror;
		if (onerror !== undefined) {
			this.streams.onerror ??= onerror;
			this.info.onerror ??= onerror;
		}
	}

	/** Whether the node has begun to close; nothing new is begun then. */
	get closed(): boolean {
		return this.#closed;
	}

	/** Marks the node as closed; `false` when it was already. */
	markClosed(): boolean {
		if (this.#closed) return false;
		this.#closed = true;
		return true;
	}

	/** Calls `onerror` with an error that reaches no client. */
	report(error: unknown): void {
		try {
			this.#onerror?.(toError(error));
		} catch {
			// The work that failed has a client to answer and things to free: a report that fails must not stop it.
		}
	}

	/** Does work that nobody waits for; whether it throws or rejects, the error is reported. */
	background(work: () => MaybePromise<unknown>): void {
		try {
			const done = work();
			if (isThenable(done)) Promise.resolve(done).catch((error: unknown) => this.report(error));
		} catch (error) {
			this.report(error);
		}
	}

	/** Closes the managers that were made here. */
	async closeManagers(): Promise<void> {
		for (const manager of this.#owned) await manager.close();
	}

	#own<T extends StreamSessionManager | InfoSessionManager>(manager: T): T {
		this.#owned.push(manager);
		return manager;
	}
}
