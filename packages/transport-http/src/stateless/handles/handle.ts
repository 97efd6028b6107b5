import type { SessionState } from '@holdfast/session-manager';

/** State that outlives the calls of a client without a session. */
export interface Handle {
	/** What a tool returns to the client, and the client passes with later calls. It is a secret: never log it. */
	readonly id: string;
	/** Typed values that every node can read and write, as those of a session. */
	readonly state: SessionState;
	/** When the handle expires if it is not used again, in milliseconds since the Unix epoch. */
	readonly expiresAt: number;
}

/** Options for handles, which keep the state of clients without a session. */
export interface HandleOptions {
	/**
	 * How long an unused handle lives, in milliseconds.
	 * @default 86_400_000 (24 hours)
	 */
	readonly idleTtlMs?: number;
	/**
	 * How long a handle lives after it was made, used or not, in milliseconds.
	 * @default 2_592_000_000 (30 days)
	 */
	readonly absoluteTtlMs?: number;
	/**
	 * The same for a caller without a token: whoever knows such a handle can use it.
	 * @default 3_600_000 (an hour)
	 */
	readonly anonymousTtlMs?: number;
	/**
	 * The most handles of one principal that are kept. One more is an error of the tool that makes it.
	 * @default 100
	 */
	readonly maxPerPrincipal?: number;
}

/** Where the state of a call is. */
export interface CallState {
	readonly state: SessionState;
	/** What the client must pass with later calls to find this state again; absent where its session does so. */
	readonly handle?: string | undefined;
}
