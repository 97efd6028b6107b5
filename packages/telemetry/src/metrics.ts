/** A metric: how both exporters name and describe it. Durations are in seconds. */
export interface Metric {
	readonly kind: 'histogram' | 'counter' | 'gauge';
	readonly name: string;
	readonly unit: string;
	readonly description: string;
	/** Upper bounds of the buckets of a histogram. */
	readonly buckets?: readonly number[];
}

const short = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300];
/** Those of the conventions end at five minutes; sessions live for hours. */
const long = [...short, 1_800, 3_600, 14_400, 43_200, 86_400];
const quick = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5];

const histogram = (name: string, buckets: readonly number[], description: string): Metric => ({
	kind: 'histogram',
	name,
	unit: 's',
	description,
	buckets,
});
const counter = (name: string, unit: string, description: string): Metric => ({
	kind: 'counter',
	name,
	unit,
	description,
});
const gauge = (name: string, unit: string, description: string): Metric => ({ kind: 'gauge', name, unit, description });

/** What happens. */
export const metrics = {
	operationDuration: histogram('mcp.server.operation.duration', short, 'How long requests of clients took.'),
	clientOperationDuration: histogram(
		'mcp.client.operation.duration',
		short,
		'How long clients took to answer requests of the server.',
	),
	sessionDuration: histogram('mcp.server.session.duration', long, 'How long sessions lived that ended.'),
	storeDuration: histogram('holdfast.store.operation.duration', quick, 'How long calls of the store took.'),
	sessionsOpened: counter('holdfast.session.opened', '{session}', 'Sessions that were opened.'),
	sessionsEnded: counter('holdfast.session.ended', '{session}', 'Sessions that ended, by reason.'),
	sessionsSuspended: counter('holdfast.session.suspended', '{session}', 'Sessions that were suspended.'),
	sessionsRestored: counter('holdfast.session.restored', '{session}', 'Suspended sessions that were used again.'),
	streamsOpened: counter('holdfast.stream.opened', '{stream}', 'SSE streams that were opened.'),
	takeovers: counter('holdfast.stream.takeover', '{stream}', 'Session streams that a newer connection took.'),
	replays: counter('holdfast.stream.replay', '{stream}', 'Streams that were resumed with what their clients missed.'),
	gaps: counter('holdfast.stream.gap', '{stream}', 'Clients that were told to read again.'),
	refusals: counter('holdfast.request.refused', '{request}', 'Requests that were refused, by reason.'),
	conversationDuration: histogram(
		'holdfast.conversation.create.duration',
		quick,
		'How long it took to create conversations.',
	),
	conversationsCreated: counter('holdfast.conversation.created', '{conversation}', 'Conversations that were created.'),
	conversations: gauge('holdfast.conversation.count', '{conversation}', 'Conversations in the store, by state.'),
	conversationSize: gauge('holdfast.conversation.size', 'By', 'The average size of conversations.'),
	conversationAge: gauge('holdfast.conversation.oldest_age', 's', 'The age of the oldest conversation.'),
	conversationsCached: gauge(
		'holdfast.conversation.cached',
		'{conversation}',
		'Conversations that this node keeps in memory.',
	),
	audits: counter('holdfast.audit', '{action}', 'What operators did.'),
} as const;

/** What there is now, read from the counts of the transports when somebody asks. */
export const gauges = {
	sessions: gauge('holdfast.session.active', '{session}', 'Sessions that this node knows.'),
	liveServers: gauge('holdfast.live_server.count', '{server}', 'SDK servers in memory.'),
	requestsInFlight: gauge('holdfast.request.in_flight', '{request}', 'Requests of clients that run.'),
	requestsWaiting: gauge('holdfast.request.waiting', '{request}', 'Requests to clients that wait for a response.'),
	connections: gauge('holdfast.stream.open', '{stream}', 'Open SSE streams.'),
	bodyBytes: gauge('holdfast.request.body.size', 'By', 'What bodies in flight count towards their limit.'),
} as const;
