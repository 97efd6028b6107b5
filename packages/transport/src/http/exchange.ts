import type { Observation } from '../node/observer.js';
import type { RequestId } from '../protocol/json-rpc.js';
import type { AuthInfo, MessageExtra } from '../protocol/sdk.js';
import type { BodyLease } from './body-budget.js';
import type { Connection, Headers } from './connection.js';
import type { BodyDone } from './parse-body.js';
import { type HttpProblem, problemBody, reasonOf } from './problems.js';

/** One HTTP request and its response, the same for `node:http` and for fetch runtimes. */
export interface HttpExchange {
	readonly method: string;
	/** Returns the value of a header by its lower-case name. */
	header(name: string): string | undefined;
	/** The remote address of the connection; `undefined` where the runtime does not tell. */
	readonly address: string | undefined;
	/** Who sends the request, as verified by the caller of the transport or by the `authenticate` option. */
	authInfo: AuthInfo | undefined;
	/** Returns what SDK handlers learn about the request. */
	extra(): MessageExtra;
	/** The id of the request in its body, once that is read and where it is a request. */
	requestId: RequestId | undefined;
	/** The share of its body in the budgets, where there is a body. */
	lease: BodyLease | undefined;
	/** Why the session that the request names cannot be used; set only where its body decides whether that matters. */
	refusal: HttpProblem | undefined;
	/**
	 * Reads the body as JSON, and calls `done` once with its value or with a problem. What arrives is counted in `lease`.
	 * A body that a framework has read already is taken from it. When the client disconnects first, `lease` is released
	 * and `done` is not called.
	 */
	readJson(lease: BodyLease, done: BodyDone): void;
	/** Sends a complete response. Does nothing when the client is gone, or has had a response. */
	respond(status: number, headers: Headers, body: string | undefined): void;
	/** Responds with one JSON document and, where there is a session, its id. A fast path: most requests get this. */
	respondJson(sessionId: string | undefined, json: string): void;
	/** Responds with an SSE stream. */
	stream(headers: Headers): Connection;
	/** Who hears that it is refused. */
	observation: Observation | undefined;
	/** Headers of every response to this request: CORS. */
	commonHeaders: Headers | undefined;
}

const jsonType = 'application/json';

/** Headers of an SSE stream. They tell proxies neither to buffer nor to transform it. */
export const streamHeaders: Headers = Object.freeze({
	'content-type': 'text/event-stream',
	'cache-control': 'no-cache, no-transform',
	'x-accel-buffering': 'no',
});

/** Responds with a problem, and with the id of the request where that is known (2025-11-25, Responses). */
export function refuse(
	exchange: HttpExchange,
	problem: HttpProblem,
	id: RequestId | undefined = exchange.requestId,
): void {
	const { observation } = exchange;
	if (observation !== undefined) {
		const { status, message } = problem;
		observation.emit({ type: 'refusal', reason: reasonOf(problem), status, httpMethod: exchange.method, message });
	}
	exchange.respond(problem.status, { 'content-type': jsonType, ...problem.headers }, problemBody(problem, id));
}
