import type { ServerKindName } from './server-kinds.js';

/** How long, how often and at which concurrency a run measures. */
export interface Plan {
	/** The servers to compare with raw HTTP, which is always there. */
	readonly kinds: readonly ServerKindName[];
	/** Rounds of `tools/call`: the shorter and the more, the less a machine whose speed drifts can do to the ratios. */
	readonly rounds: number;
	/** Rounds of opening sessions, each with new servers that are warmed up again. */
	readonly sessionRounds: number;
	/** Load before anything is timed; V8 still optimises the SDKs' code for about ten seconds. */
	readonly warmUpMs: number;
	readonly measureMs: number;
	/** Open connections with one request in flight each, for `tools/call`. */
	readonly concurrency: readonly number[];
	/** Established sessions that the calls go round. */
	readonly callSessions: number;
	/** Clients that open sessions at the same time. */
	readonly openingClients: number;
	/** Open streams of a broadcast. */
	readonly streams: number;
	/** Sessions at which the heap is measured, ascending. */
	readonly heapSessions: readonly number[];
}

/** What `npm run bench` does: about half an hour. */
export const fullPlan: Omit<Plan, 'kinds'> = {
	rounds: 10,
	sessionRounds: 5,
	warmUpMs: 10_000,
	measureMs: 1500,
	concurrency: [1, 16, 64],
	callSessions: 64,
	openingClients: 16,
	streams: 10_000,
	heapSessions: [500, 5000],
};

/** What CI does: every server, every measurement, as short as can be. Its numbers mean nothing. */
export const smokePlan: Omit<Plan, 'kinds'> = {
	rounds: 1,
	sessionRounds: 1,
	warmUpMs: 200,
	measureMs: 200,
	concurrency: [1, 16],
	callSessions: 8,
	openingClients: 4,
	streams: 40,
	heapSessions: [20, 40],
};
