import { Buffer } from 'node:buffer';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AuthInfo, MessageExtra } from '../protocol/sdk.js';
import type { BodyLease } from './body-budget.js';
import { type Connection, type Headers, NodeHttpConnection } from './connection.js';
import type { HttpExchange } from './exchange.js';
import { parseBody } from './parse-body.js';
import { type HttpProblem, problems } from './problems.js';

/**
 * A request of `node:http` with what frameworks add to it: a parsed body, who sends it, and the path before routing cut
 * it.
 */
export type NodeRequest = IncomingMessage & { body?: unknown; auth?: AuthInfo; originalUrl?: string };

/** An exchange of `node:http`, without web streams. */
export class NodeHttpExchange implements HttpExchange {
	commonHeaders: Headers | undefined;
	lease: BodyLease | undefined;
	readonly #request: NodeRequest;
	readonly #response: ServerResponse;

	constructor(request: NodeRequest, response: ServerResponse) {
		this.#request = request;
		this.#response = response;
	}

	get method(): string {
		return this.#request.method ?? 'GET';
	}

	header(name: string): string | undefined {
		const { headers } = this.#request;
		// HTTP/2 names the host in a pseudo header.
		const value = headers[name] ?? (name === 'host' ? headers[':authority'] : undefined);
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

	readJson(lease: BodyLease, done: (value: unknown, problem: HttpProblem | undefined) => void): void {
		const request = this.#request;
		const length = Number(request.headers['content-length'] ?? 0);
		if (request.body !== undefined) return done(request.body, lease.arrived(length || 0));
		if (length > lease.maxBytes) return done(undefined, problems.tooLarge);
		// Somebody has read the body, and kept it.
		if (request.readableEnded) return done(undefined, problems.parseError);
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
		lease.ontimeout = () => refuse(problems.bodyTimeout);
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
			const body = rest === undefined ? first : Buffer.concat(rest);
			parseBody(body === undefined ? '' : body.toString(), lease, done);
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
		if (body === undefined) {
			if (status !== 204) all['content-length'] = 0;
			response.writeHead(status, all).end();
		} else {
			all['content-length'] = Buffer.byteLength(body);
			response.writeHead(status, all).end(body);
		}
	}

	respondJson(sessionId: string | undefined, json: string): void {
		const response = this.#response;
		if (response.headersSent || response.destroyed) return;
		const bytes = Buffer.byteLength(json);
		const headers = ['content-type', 'application/json', 'content-length', String(bytes)];
		if (sessionId !== undefined) headers.push('mcp-session-id', sessionId);
		if (this.commonHeaders !== undefined) headers.push(...Object.entries(this.commonHeaders).flat());
		// A string with as many bytes as characters is ASCII, which Node.js writes faster as latin1.
		response.writeHead(200, headers).end(json, bytes === json.length ? 'latin1' : 'utf8');
	}

	stream(headers: Headers): Connection {
		const all = this.commonHeaders === undefined ? headers : { ...this.commonHeaders, ...headers };
		return new NodeHttpConnection(this.#response, all);
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

	get requestInfo(): { readonly headers: Record<string, string | string[] | undefined> } {
		return this.#request;
	}

	get request(): LazyRequest {
		this.#lazy ??= new LazyRequest(this.#request);
		return this.#lazy;
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
		const { headers, originalUrl, url = '/' } = this.#request;
		return `${scheme}://${headers.host ?? 'localhost'}${originalUrl ?? url}`;
	}

	get headers(): globalThis.Headers {
		if (this.#headers === undefined) {
			this.#headers = new globalThis.Headers();
			for (const [name, values] of Object.entries(this.#request.headersDistinct)) {
				for (const value of values ?? []) this.#headers.append(name, value);
			}
		}
		return this.#headers;
	}
}
