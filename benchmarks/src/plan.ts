import type { ServerKindName } from './server-kinds.js';

/** How long, how many times and at which concurrency a run measures. */
export interface Plan {
	/** The servers to compare with raw HTTP, which is always included. */
	readonly kinds: readonly ServerKindName[];
	/** Rounds of `tools/call`. With more and shorter rounds, a drift in the machine's speed affects the ratios less. */
	readonly rounds: number;
	/** Rounds of opening sessions, each with new servers that are warmed up again. */
	readonly sessionRounds: number;
	/** The load before anything is timed, in milliseconds; V8 keeps optimizing the SDKs' code for about ten seconds. */
	readonly warmUpMs: number;
	readonly measureMs: number;
	/** The numbers of open connections, with one request in flight each, for `tools/call`. */
	readonly concurrency: readonly number[];
	/** Established sessions that the calls use in turn. */
	readonly callSessions: number;
	/** Clients that open sessions concurrently. */
	readonly openingClients: number;
	/** Open streams of a broadcast. */
	readonly streams: number;
	/** Open streams of each server that is compared by its broadcasts. */
	readonly fanoutStreams: number;
	/** Numbers of subscribers that one message goes to, ascending; each divides the largest. */
	readonly subscribers: readonly number[];
	/** Numbers of sessions at which the heap is measured, ascending. */
	readonly heapSessions: readonly number[];
	/** The sizes at which it is measured how cost grows, ascending: sessions, streams, events of a history, and nodes. */
	readonly growth: {
		readonly sessions: readonly number[];
		readonly streams: readonly number[];
		readonly history: readonly number[];
		readonly nodes: readonly number[];
		/** The open streams that nodes share. */
		readonly nodeStreams: number;
	};
	/** Conversations in a store, and messages in each of them. */
	readonly conversations: number;
	readonly messages: number;
	/** How often each thing is done with conversations. */
	readonly samples: number;
}

/** The plan of `npm run bench`, which takes about three quarters of an hour. */
export const fullPlan: Omit<Plan, 'kinds'> = {
	rounds: 10,
	sessionRounds: 5,
	warmUpMs: 10_000,
	measureMs: 1500,
	concurrency: [1, 16, 64],
	callSessions: 64,
	openingClients: 16,
	streams: 10_000,
	fanoutStreams: 5_000,
	subscribers: [5_000, 50_000],
	heapSessions: [500, 5000],
	growth: {
		sessions: [1_000, 10_000, 100_000],
		streams: [1_000, 10_000, 50_000],
		history: [0, 10, 100, 1_000],
		nodes: [1, 3, 6],
		nodeStreams: 3_000,
	},
	conversations: 10_000,
	messages: 100,
	samples: 1_000,
};

/** The plan of CI: every server and every measurement, as short as possible. Its numbers mean nothing. */
export const smokePlan: Omit<Plan, 'kinds'> = {
	rounds: 1,
	sessionRounds: 1,
	warmUpMs: 900,
	measureMs: 300,
	concurrency: [1, 16],
	callSessions: 8,
	openingClients: 4,
	streams: 40,
	fanoutStreams: 40,
	subscribers: [40, 400],
	heapSessions: [20, 40],
	growth: { sessions: [10, 20], streams: [10, 20], history: [0, 10], nodes: [1, 2], nodeStreams: 12 },
	conversations: 10,
	messages: 10,
	samples: 10,
};
