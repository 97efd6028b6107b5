import { SessionManagerError } from '@holdfast/session-manager';
import { ErrorCode, type RequestId } from '../protocol/json-rpc.js';
import { SUPPORTED_PROTOCOL_VERSIONS } from '../protocol/protocol-versions.js';

/** Why a request is refused: the HTTP status and the JSON-RPC error that the client gets. */
export interface HttpProblem {
	readonly status: number;
	/** The JSON-RPC error code. */
	readonly code: number;
	readonly message: string;
	readonly headers?: Readonly<Record<string, string>>;
}

const problem = (
	status: number,
	code: number,
	message: string,
	headers?: Readonly<Record<string, string>>,
): HttpProblem => Object.freeze({ status, code, message, ...(headers && { headers }) });

/** Every refusal of the transports. Statuses and codes are those that clients of the official SDKs expect. */
export const problems = Object.freeze({
	forbiddenHost: problem(403, ErrorCode.REFUSED, 'Forbidden: this Host is not allowed; see the option allowedHosts.'),
	forbiddenOrigin: problem(
		403,
		ErrorCode.REFUSED,
		'Forbidden: this Origin is not allowed; see the option allowedOrigins.',
	),
	notFound: problem(404, ErrorCode.REFUSED, 'Not Found: no MCP endpoint at this path.'),
	methodNotAllowed: problem(405, ErrorCode.REFUSED, 'Method Not Allowed.', { allow: 'GET, POST, DELETE, OPTIONS' }),
	postNotAcceptable: problem(
		406,
		ErrorCode.REFUSED,
		'Not Acceptable: Client must accept both application/json and text/event-stream',
	),
	getNotAcceptable: problem(406, ErrorCode.REFUSED, 'Not Acceptable: Client must accept text/event-stream'),
	responseNotAcceptable: problem(406, ErrorCode.REFUSED, 'Not Acceptable: Client must accept application/json'),
	encoded: problem(415, ErrorCode.REFUSED, 'Unsupported Media Type: bodies with a Content-Encoding are not read.', {
		'accept-encoding': 'identity',
	}),
	notJson: problem(415, ErrorCode.REFUSED, 'Unsupported Media Type: Content-Type must be application/json'),
	tooLarge: problem(413, ErrorCode.REFUSED, 'Payload Too Large: the body is over the limit.', { connection: 'close' }),
	bodyTimeout: problem(408, ErrorCode.REFUSED, 'Request Timeout: the body took too long to arrive.', {
		connection: 'close',
	}),
	tooManyBodies: problem(503, ErrorCode.REFUSED, 'Service Unavailable: this node is busy with too many bytes.', {
		'retry-after': '1',
		connection: 'close',
	}),
	tooManyBodiesOfAddress: problem(
		429,
		ErrorCode.REFUSED,
		'Too Many Requests: too many bytes are arriving from this address.',
		{ 'retry-after': '1', connection: 'close' },
	),
	tooManyBodiesOfSession: problem(
		429,
		ErrorCode.REFUSED,
		'Too Many Requests: the running requests of this session have too many bytes.',
		{ 'retry-after': '1', connection: 'close' },
	),
	tooComplex: problem(
		400,
		ErrorCode.INVALID_REQUEST,
		'Invalid Request: the JSON has more than 100,000 values, or is nested deeper than 100 levels.',
	),
	parseError: problem(400, ErrorCode.PARSE_ERROR, 'Parse error: the body is not valid JSON.'),
	invalidRequest: problem(
		400,
		ErrorCode.INVALID_REQUEST,
		'Invalid Request: the body is not a JSON-RPC message of MCP.',
	),
	invalidParams: problem(200, ErrorCode.INVALID_PARAMS, 'Invalid params'),
	emptyBatch: problem(400, ErrorCode.INVALID_REQUEST, 'Invalid Request: a batch must not be empty.'),
	largeBatch: problem(400, ErrorCode.INVALID_REQUEST, 'Invalid Request: the batch has too many messages.'),
	batchNotSupported: problem(
		400,
		ErrorCode.INVALID_REQUEST,
		'Invalid Request: batches are part of revision 2025-03-26 only, over Streamable HTTP.',
	),
	initializeInBatch: problem(
		400,
		ErrorCode.INVALID_REQUEST,
		'Invalid Request: initialize must not be part of a batch.',
	),
	initializeInSession: problem(400, ErrorCode.INVALID_REQUEST, 'Invalid Request: the session is already initialized.'),
	requestIdInUse: problem(400, ErrorCode.INVALID_REQUEST, 'Invalid Request: a request with this id is still running.'),
	missingSessionId: problem(400, ErrorCode.REFUSED, 'Bad Request: Mcp-Session-Id header is required'),
	missingSessionIdInQuery: problem(
		400,
		ErrorCode.REFUSED,
		'Bad Request: the query must name a sessionId, as the endpoint event did.',
	),
	notInitialized: problem(400, ErrorCode.INVALID_REQUEST, 'Invalid Request: the session is not initialized yet.'),
	sessionNotFound: problem(404, ErrorCode.SESSION_NOT_FOUND, 'Session not found'),
	noSessions: problem(405, ErrorCode.REFUSED, 'Method Not Allowed: this server has no sessions.', {
		allow: 'POST, OPTIONS',
	}),
	foreignSession: problem(403, ErrorCode.REFUSED, 'Forbidden: the session belongs to somebody else.'),
	unsupportedVersion: problem(
		400,
		ErrorCode.REFUSED,
		'Bad Request: Unsupported protocol version in MCP-Protocol-Version ' +
			`(supported versions: ${SUPPORTED_PROTOCOL_VERSIONS.join(', ')})`,
	),
	sessionsOnly: problem(
		400,
		ErrorCode.REFUSED,
		`Bad Request: this server begins with initialize, in ${SUPPORTED_PROTOCOL_VERSIONS.join(', ')}.`,
	),
	invalidEventId: problem(400, ErrorCode.REFUSED, 'Bad Request: Last-Event-ID is not an event id of this server.'),
	streamEnded: problem(405, ErrorCode.REFUSED, 'The stream is over; there is nothing to resume.', {
		allow: 'POST, DELETE',
	}),
	notResumable: problem(405, ErrorCode.REFUSED, 'Streams cannot be resumed on this server.', { allow: 'POST, DELETE' }),
	tooManyRequests: problem(
		429,
		ErrorCode.REFUSED,
		'Too Many Requests: too many requests of this session are running.',
		{
			'retry-after': '1',
		},
	),
	tooManyRequestsOfPrincipal: problem(
		429,
		ErrorCode.REFUSED,
		'Too Many Requests: too many requests of this sender are running.',
		{ 'retry-after': '1' },
	),
	tooManyStatelessRequests: problem(
		503,
		ErrorCode.REFUSED,
		'Service Unavailable: too many requests without a session are running on this node.',
		{ 'retry-after': '1' },
	),
	tooManyStreams: problem(503, ErrorCode.REFUSED, 'Service Unavailable: this node holds too many streams.', {
		'retry-after': '1',
	}),
	tooManyStreamsOfSession: problem(
		429,
		ErrorCode.REFUSED,
		'Too Many Requests: this node holds too many streams of this session.',
		{ 'retry-after': '1' },
	),
	tooManyStreamsOfPrincipal: problem(
		429,
		ErrorCode.REFUSED,
		'Too Many Requests: this node holds too many streams of this sender.',
		{ 'retry-after': '1' },
	),
	storeUnavailable: problem(503, ErrorCode.REFUSED, 'Service Unavailable: the session store cannot be reached.', {
		'retry-after': '1',
	}),
	closing: problem(503, ErrorCode.REFUSED, 'Service Unavailable: the server is closing.', { 'retry-after': '1' }),
	bodyTaken: problem(
		500,
		ErrorCode.INTERNAL_ERROR,
		'Internal error: the body was read before the transport got the request. ' +
			'Pass what was read as request.body to handle, or as parsedBody to respond.',
	),
	internal: problem(500, ErrorCode.INTERNAL_ERROR, 'Internal error'),
});

const reasons = new Map<HttpProblem, string>(Object.entries(problems).map(([reason, known]) => [known, reason]));

/** Returns a name of the problem, of a fixed set, for metrics. */
export function reasonOf(problem: HttpProblem): string {
	return reasons.get(problem) ?? reasonsOfStatus.get(problem.status) ?? 'other';
}

/** For problems whose text is made when they occur. */
const reasonsOfStatus: ReadonlyMap<number, string> = new Map([
	[200, 'invalidParams'],
	[401, 'unauthorized'],
	[403, 'forbidden'],
	[429, 'limit'],
	[503, 'authenticationUnavailable'],
]);

/** Maps an error to what the client sees. The text of an unexpected error stays private. */
export function problemOf(error: unknown): HttpProblem {
	if (!(error instanceof SessionManagerError)) return problems.internal;
	switch (error.code) {
		case 'unavailable':
			return problems.storeUnavailable;
		case 'closed':
			return problems.closing;
		case 'no-such-session':
			return problems.sessionNotFound;
		case 'limit':
		case 'principal-limit':
			return problem(429, ErrorCode.REFUSED, `Too Many Requests: ${error.message}`, { 'retry-after': '1' });
		default:
			return problems.internal;
	}
}

/** Returns the JSON-RPC body of a problem. */
export function problemBody({ code, message }: HttpProblem, id: RequestId | null = null): string {
	return JSON.stringify({ jsonrpc: '2.0', error: { code, message }, id });
}
