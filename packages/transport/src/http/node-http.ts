import { Buffer } from 'node:buffer';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '@holdfast/session-manager';
import type { Observation } from '../node/observer.js';
import { isObject, type RequestId } from '../protocol/json-rpc.js';
import type { AuthInfo, MessageExtra, RequestInfo } from '../protocol/sdk.js';
import type { BodyLease } from './body-budget.js';
import { type Connection, type Headers, NodeHttpConnection } from './connection.js';
import { endAfterBody, isBodyComing } from './end-after-body.js';
import type { HttpExchange } from './exchange.js';
import { type BodyDone, parseBody, takeBody } from './parse-body.js';
import { type HttpProblem, problems } from './problems.js';
import { isEncoded } from './request-headers.js';
import { authorityIn, targetOf } from './request-target.js';
import type { UnreadResponses } from './unread-responses.js';

/**
 * A request of `node:http` with what frameworks add to it: a parsed body, who sends it, and the path before routing cut
 * it.
 */
export type NodeRequest = IncomingMessage & { body?: unknown; auth?: AuthInfo; originalUrl?: string };

const nothing = Buffer.alloc(0);

/** An exchange of `node:http`, without web streams. */
export class NodeHttpExchange implements HttpExchange {
	commonHeaders: Headers | undefined;
	requestId: RequestId | undefined;
	lease: BodyLease | undefined;
	refusal: HttpProblem | undefined;
	observation: Observation | undefined;
	readonly #request: NodeRequest;
	readonly #response: ServerResponse;
	readonly #clock: Clock;
	readonly #unread: UnreadResponses;
	/** Whether the client has had its time to send the body. */
	#isLate = false;

	constructor(request: NodeRequest, response: ServerResponse, clock: Clock, unread: UnreadResponses) {
		this.#request = request;
		this.#response = response;
		this.#clock = clock;
		this.#unread = unread;
	}

	get method(): string {
		return this.#request.method ?? 'GET';
	}

	header(name: string): string | undefined {
		const value = name === 'host' ? hostOf(this.#request) : this.#request.headers[name];
		return Array.isArray(value) ? value.join(', ') : value;
	}

	get address(): string | undefined {
		return this.#request.socket.remoteAddress;
	}

	get authInfo(): AuthInfo | undefined {
		return this.#request.auth;
	}

	set authInfo(authInfo: AuthInfo | undefined) {
		if (authInfo === undefined) delete this.#request.auth;
		else this.#request.auth = authInfo;
	}

	extra(): MessageExtra {
		return new NodeMessageExtra(this.#request);
	}

	readJson(lease: BodyLease, done: BodyDone): void {
		const request = this.#request;
		const length = Number(request.headers['content-length'] ?? 0);
		if (hasBody(request)) return takeBody(request.body, length, lease, done);
		if (isEncoded(request.headers['content-encoding'])) return done(undefined, problems.encoded);
		if (length > lease.maxBytes) return done(undefined, problems.tooLarge);
		if (request.readableEnded || (request.readableDidRead && !request.destroyed))
			return done(undefined, problems.bodyTaken);
		if (request.destroyed) return lease.release();
		let first: Buffer | undefined;
		let rest: Buffer[] | undefined;
		let over = false;
		const refuse = (problem: HttpProblem) => {
			over = true;
			request.removeAllListeners('data');
			request.removeAllListeners('end');
			request.resume();
			done(undefined, problem);
		};
		lease.onTimeout(() => {
			this.#isLate = true;
			refuse(problems.bodyTimeout);
		});
		request.on('data', (chunk: Buffer) => {
			const problem = lease.take(chunk.byteLength);
			if (problem !== undefined) return refuse(problem);
			if (first === undefined) first = chunk;
			else {
				rest ??= [first];
				rest.push(chunk);
			}
		});
		request.on('end', () => {
			over = true;
			const body = rest === undefined ? (first ?? nothing) : Buffer.concat(rest);
			// A response may be a stream for hours, and keeps its request.
			first = undefined;
			rest = undefined;
			parseBody(body, lease, done);
		});
		request.on('close', () => {
			if (!over) lease.release();
			over = true;
		});
	}

	respond(status: number, headers: Headers, body: string | undefined): void {
		const response = this.#response;
		if (response.headersSent || response.destroyed) return;
		const all: Record<string, string | number> =
			this.commonHeaders === undefined ? { ...headers } : { ...this.commonHeaders, ...headers };
		if (body !== undefined) all['content-length'] = Buffer.byteLength(body);
		else if (status !== 204) all['content-length'] = 0;
		response.writeHead(status, all);
		if (body === undefined || this.#isLate || !isBodyComing(this.#request)) response.end(body);
		else endAfterBody(this.#request, response, body, this.#clock);
		this.#unread.watch(response);
	}

	respondJson(sessionId: string | undefined, json: string): void {
		const response = this.#response;
		if (response.headersSent || response.destroyed) return;
		const bytes = Buffer.byteLength(json);
		// What wraps `writeHead` may know no other form of headers, and return nothing.
		const headers: Record<string, string> = { 'content-type': 'application/json', 'content-length': String(bytes) };
		if (sessionId !== undefined) headers['mcp-session-id'] = sessionId;
		if (this.commonHeaders !== undefined) Object.assign(headers, this.commonHeaders);
		response.writeHead(200, headers);
		// A string with as many bytes as characters is ASCII, which Node.js writes faster as latin1.
		response.end(json, bytes === json.length ? 'latin1' : 'utf8');
		this.#unread.watch(response);
	}

	stream(headers: Headers): Connection {
		const all = this.commonHeaders === undefined ? headers : { ...this.commonHeaders, ...headers };
		return new NodeHttpConnection(this.#response, all, this.#clock);
	}
}

/** What SDK handlers learn about a request of `node:http`. It is computed only when they ask. */
class NodeMessageExtra implements MessageExtra {
	closeSSEStream: (() => void) | undefined;
	closeStandaloneSSEStream: (() => void) | undefined;
	readonly #request: NodeRequest;
	#lazy: LazyRequest | undefined;

	constructor(request: NodeRequest) {
		this.#request = request;
	}

	get authInfo(): AuthInfo | undefined {
		return this.#request.auth;
	}

	get requestInfo(): RequestInfo {
		return new NodeRequestInfo(this.#request);
	}

	get request(): LazyRequest {
		this.#lazy ??= new LazyRequest(this.#request);
		return this.#lazy;
	}
}

/** What SDK v1 tells its handlers of a request. It is computed only when they ask. */
class NodeRequestInfo implements RequestInfo {
	readonly #request: NodeRequest;

	constructor(request: NodeRequest) {
		this.#request = request;
	}

	get headers(): RequestInfo['headers'] {
		return this.#request.httpVersionMajor < 2 ? this.#request.headers : realHeaders(this.#request);
	}

	/** `undefined` where the client named a host that is none. */
	get url(): URL | undefined {
		const { url } = new LazyRequest(this.#request);
		return URL.canParse(url) ? new URL(url) : undefined;
	}
}

/** The parts of a fetch `Request` that a handler of SDK v2 can use once the body is read: method, URL and headers. */
class LazyRequest {
	readonly #request: NodeRequest;
	#headers: globalThis.Headers | undefined;

	constructor(request: NodeRequest) {
		this.#request = request;
	}

	get method(): string {
		return this.#request.method ?? 'GET';
	}

	get url(): string {
		const scheme = 'encrypted' in this.#request.socket ? 'https' : 'http';
		return `${scheme}://${hostOf(this.#request) ?? 'localhost'}${targetOf(urlOf(this.#request))}`;
	}

	get headers(): globalThis.Headers {
		if (this.#headers === undefined) {
			this.#headers = new globalThis.Headers();
			for (const [name, values] of Object.entries(realHeaders(this.#request))) {
				for (const value of [values ?? []].flat()) this.#headers.append(name, value);
			}
		}
		return this.#headers;
	}
}

/** Returns what the request line names, before routing cut it. */
export function urlOf({ originalUrl, url = '/' }: NodeRequest): string {
	return originalUrl ?? url;
}

/** The host: of a target in absolute form (RFC 9112, 3.2.2), of `Host`, or of the pseudo header of HTTP/2. */
function hostOf(request: NodeRequest): string | undefined {
	const { headers } = request;
	const authority = headers[':authority'];
	return authorityIn(urlOf(request)) ?? headers.host ?? (Array.isArray(authority) ? authority[0] : authority);
}

/** The headers of a request as HTTP/1.1 names them: without the pseudo headers of HTTP/2, and with a host. */
function realHeaders(request: NodeRequest): Record<string, string | string[] | undefined> {
	if (request.httpVersionMajor < 2) return request.headersDistinct;
	const fields = Object.entries(request.headers).filter(([name]) => !name.startsWith(':'));
	return { host: hostOf(request), ...Object.fromEntries(fields) };
}

/** Whether a framework has read the body. Some leave an empty object where they have read nothing. */
function hasBody({ body, readableDidRead, readableEnded }: NodeRequest): boolean {
	if (body === undefined || body === null) return false;
	return readableDidRead || readableEnded || !isObject(body) || Object.keys(body).length > 0;
}
