import type { AuthInfo, MessageExtra } from '../protocol/sdk.js';
import { type Connection, FetchHttpConnection, type Headers } from './connection.js';
import type { HttpExchange } from './exchange.js';
import { type HttpProblem, problems } from './problems.js';

/** An exchange of a fetch runtime. A complete response is a `Response` over a string, which costs no stream. */
export class FetchHttpExchange implements HttpExchange {
	commonHeaders: Headers | undefined;
	/** Resolves with the response; for a stream, once its first bytes are written. */
	readonly response: Promise<Response>;
	/** Fetch runtimes do not tell the remote address. */
	readonly address = undefined;
	readonly #request: Request;
	authInfo: AuthInfo | undefined;
	#resolve: ((response: Response) => void) | undefined;

	constructor(request: Request, authInfo: AuthInfo | undefined) {
		this.#request = request;
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

	readJson(maxBytes: number, done: (value: unknown, problem: HttpProblem | undefined) => void): void {
		const length = this.#request.headers.get('content-length');
		if (Number(length ?? 0) > maxBytes) return done(undefined, problems.tooLarge);
		// Where there is a Content-Length, the runtime holds the body to it; otherwise the bytes are counted here.
		const text = length === null ? readText(this.#request, maxBytes) : this.#request.text();
		text.then(
			(body) => {
				if (body === undefined) return done(undefined, problems.tooLarge);
				let value: unknown;
				try {
					value = JSON.parse(body);
				} catch {
					return done(undefined, problems.parseError);
				}
				done(value, undefined);
			},
			() => done(undefined, problems.parseError),
		);
	}

	respond(status: number, headers: Headers, body: string | undefined): void {
		this.#send(body ?? null, status, headers);
	}

	respondJson(sessionId: string | undefined, json: string): void {
		const type = { 'content-type': 'application/json' };
		this.#send(json, 200, sessionId === undefined ? type : { ...type, 'mcp-session-id': sessionId });
	}

	stream(headers: Headers): Connection {
		const connection = new FetchHttpConnection((body) => this.#send(body, 200, headers));
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

/** Reads the body as text; `undefined` when it is longer than `maxBytes`. */
async function readText(request: Request, maxBytes: number): Promise<string | undefined> {
	const body: ReadableStream<Uint8Array> | null = request.body;
	if (body === null) return '';
	const decoder = new TextDecoder();
	const reader = body.getReader();
	let text = '';
	let bytes = 0;
	for (;;) {
		const { done, value } = await reader.read();
		if (done) return text + decoder.decode();
		bytes += value.byteLength;
		if (bytes > maxBytes) {
			await reader.cancel();
			return undefined;
		}
		text += decoder.decode(value, { stream: true });
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

	get requestInfo(): { readonly headers: Record<string, string> } {
		return { headers: Object.fromEntries(this.request.headers) };
	}
}
