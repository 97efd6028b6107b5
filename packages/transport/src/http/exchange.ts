import type { RequestId } from '../protocol/json-rpc.js';
import type { AuthInfo, MessageExtra } from '../protocol/sdk.js';
import type { Connection, Headers } from './connection.js';
import { type HttpProblem, problemBody } from './problems.js';

/** One HTTP request and its answer, whichever door it came through. */
export interface HttpExchange {
	readonly method: string;
	/** The value of a header by its lower-case name. */
	header(name: string): string | undefined;
	/** The address of the other end of the connection, where that is known. */
	readonly address: string | undefined;
	/** Who asks, as verified by whoever called the transport, or by its own `authenticate`. */
	authInfo: AuthInfo | undefined;
	/** What is passed to SDK handlers about the request. */
	extra(): MessageExtra;
	/**
	 * Reads the body as JSON, at most `maxBytes` of it. A body that the framework around us has parsed already is taken as it
	 * is. `done` is not called when the client goes away first.
	 */
	readJson(maxBytes: number, done: (value: unknown, problem: HttpProblem | undefined) => void): void;
	/** Answers whole. Does nothing when the client is gone, or was answered. */
	respond(status: number, headers: Headers, body: string | undefined): void;
	/** Answers with one JSON document, of a session where it has one: what most requests get, so the shortest way. */
	respondJson(sessionId: string | undefined, json: string): void;
	/** Answers with an SSE stream. */
	stream(headers: Headers): Connection;
	/** Headers that every answer gets: CORS. */
	commonHeaders: Headers | undefined;
}

const jsonType = 'application/json';

/** Headers of an SSE stream. Proxies are told neither to buffer nor to change it. */
export const streamHeaders: Headers = Object.freeze({
	'content-type': 'text/event-stream',
	'cache-control': 'no-cache, no-transform',
	'x-accel-buffering': 'no',
});

/** Refuses the request. */
export function refuse(exchange: HttpExchange, problem: HttpProblem, id: RequestId | null = null): void {
	exchange.respond(problem.status, { 'content-type': jsonType, ...problem.headers }, problemBody(problem, id));
}
