import { Buffer } from 'node:buffer';
import type { Clock } from '@holdfast/session-manager';
import type { Observation } from '../node/observer.js';
import type { RequestId } from '../protocol/json-rpc.js';
import type { AuthInfo, MessageExtra, RequestInfo } from '../protocol/sdk.js';
import type { BodyLease } from './body-budget.js';
import { type Connection, FetchHttpConnection, type Headers } from './connection.js';
import type { HttpExchange } from './exchange.js';
import { type BodyDone, parseBody, takeBody } from './parse-body.js';
import { type HttpProblem, problems } from './problems.js';
import { isEncoded } from './request-headers.js';

/** What the caller of `respond` knows of a request. */
export interface RespondContext {
	/** Who sends the request; it is passed to the server's handlers. */
	readonly authInfo?: AuthInfo | undefined;
	/** The body, where the caller has read it: parsed, or as bytes or text. */
	readonly parsedBody?: unknown;
}

/**
 * The longest body that is counted by its Content-Length, to which the runtime holds it, and read at once. Of a longer
 * one, and of one without a length, the bytes are counted as they arrive.
 */
const SHORT_BYTES = 64 * 1024;

/** An exchange of a fetch runtime. A complete response is a `Response` over a string, which costs no stream. */
export class FetchHttpExchange implements HttpExchange {
	commonHeaders: Headers | undefined;
	requestId: RequestId | undefined;
	lease: BodyLease | undefined;
	refusal: HttpProblem | undefined;
	observation: Observation | undefined;
	/** Resolves with the response; for a stream, once its first bytes are written. */
	readonly response: Promise<Response>;
	/** Fetch runtimes do not tell the remote address. */
	readonly address = undefined;
	readonly #request: Request;
	readonly #parsedBody: unknown;
	readonly #clock: Clock;
	authInfo: AuthInfo | undefined;
	#connection: FetchHttpConnection | undefined;
	#resolve: ((response: Response) => void) | undefined;

	constructor(request: Request, { authInfo, parsedBody }: RespondContext, clock: Clock) {
		this.#request = request;
		this.#clock = clock;
		this.#parsedBody = parsedBody;
		this.authInfo = authInfo;
		this.response = new Promise((resolve) => {
			this.#resolve = resolve;
		});
	}

	get method(): string {
		return this.#request.method;
	}

	header(name: string): string | undefined {
		const value = this.#request.headers.get(name);
		if (value !== null) return value;
		// Where there is no `Host` header, as in HTTP/2, the runtime builds the URL from what the client named.
		return name === 'host' ? new URL(this.#request.url).host : undefined;
	}

	extra(): MessageExtra {
		return new FetchMessageExtra(this.#request, this.authInfo);
	}

	readJson(lease: BodyLease, done: BodyDone): void {
		const length = Number(this.#request.headers.get('content-length') ?? Number.NaN);
		if (this.#parsedBody !== undefined && this.#parsedBody !== null)
			return takeBody(this.#parsedBody, length, lease, done);
		if (isEncoded(this.#request.headers.get('content-encoding'))) return done(undefined, problems.encoded);
		if (length > lease.maxBytes) return done(undefined, problems.tooLarge);
		if (this.#request.bodyUsed) return done(undefined, problems.bodyTaken);
		let over = false;
		let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
		const end = (body: Buffer | HttpProblem) => {
			if (over) return;
			over = true;
			if (Buffer.isBuffer(body)) return parseBody(body, lease, done);
			reader?.cancel().catch(() => {});
			done(undefined, body);
		};
		lease.onTimeout(() => end(problems.bodyTimeout));
		let bytes: Promise<Buffer | HttpProblem>;
		if (length <= SHORT_BYTES) {
			const problem = lease.take(length);
			if (problem !== undefined) return end(problem);
			bytes = this.#request.arrayBuffer().then((body) => Buffer.from(body));
		} else {
			const body: ReadableStream<Uint8Array> | null = this.#request.body;
			if (body === null) return end(Buffer.alloc(0));
			if (body.locked) return end(problems.bodyTaken);
			reader = body.getReader();
			bytes = readBytes(reader, lease);
		}
		bytes.then(end, () => end(problems.parseError));
	}

	respond(status: number, headers: Headers, body: string | undefined): void {
		// Where a stream was prepared, it will not be.
		if (this.#connection?.begun === false) this.#connection.ended();
		this.#send(body ?? null, status, headers);
	}

	respondJson(sessionId: string | undefined, json: string): void {
		const type = { 'content-type': 'application/json' };
		this.#send(json, 200, sessionId === undefined ? type : { ...type, 'mcp-session-id': sessionId });
	}

	stream(headers: Headers): Connection {
		const connection = new FetchHttpConnection((body) => this.#send(body, 200, headers), this.#clock);
		this.#connection = connection;
		// Most disconnects cancel the body; one before the first byte only aborts the signal.
		const gone = () => {
			connection.ended();
			// Nobody reads this response, but the runtime waits for one.
			this.#send(null, 200, headers);
		};
		if (this.#request.signal?.aborted) gone();
		else this.#request.signal?.addEventListener('abort', gone, { once: true });
		return connection;
	}

	#send(body: string | ReadableStream<Uint8Array> | null, status: number, headers: Headers): void {
		const resolve = this.#resolve;
		this.#resolve = undefined;
		resolve?.(
			new Response(body, {
				status,
				headers: this.commonHeaders === undefined ? headers : { ...this.commonHeaders, ...headers },
			}),
		);
	}
}

/** Reads a body, or returns why it is refused. */
async function readBytes(
	reader: ReadableStreamDefaultReader<Uint8Array>,
	lease: BodyLease,
): Promise<Buffer | HttpProblem> {
	const chunks: Uint8Array[] = [];
	for (;;) {
		const { done, value } = await reader.read();
		if (done) return Buffer.concat(chunks);
		const problem = lease.take(value.byteLength);
		if (problem !== undefined) return problem;
		chunks.push(value);
	}
}

/** What SDK handlers learn about a request of a fetch runtime. */
class FetchMessageExtra implements MessageExtra {
	readonly request: Request;
	readonly authInfo: AuthInfo | undefined;
	closeSSEStream: (() => void) | undefined;
	closeStandaloneSSEStream: (() => void) | undefined;

	constructor(request: Request, authInfo: AuthInfo | undefined) {
		this.request = request;
		this.authInfo = authInfo;
	}

	get requestInfo(): RequestInfo {
		return new FetchRequestInfo(this.request);
	}
}

/** What SDK v1 tells its handlers of a request. It is computed only when they ask. */
class FetchRequestInfo implements RequestInfo {
	readonly #request: Request;
	#headers: Record<string, string> | undefined;

	constructor(request: Request) {
		this.#request = request;
	}

	get headers(): Record<string, string> {
		this.#headers ??= Object.fromEntries(this.#request.headers);
		return this.#headers;
	}

	get url(): URL {
		return new URL(this.#request.url);
	}
}
