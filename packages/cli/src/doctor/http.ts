import { type ClientRequest, request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';

/** The head of a response, and its body. */
export interface Reply {
	readonly status: number;
	readonly headers: IncomingHttpHeaders;
	readonly text: string;
}

/** What happened to a stream while it was watched. Times are milliseconds since the request. */
export interface Watched {
	readonly status: number;
	readonly headers: IncomingHttpHeaders;
	/** When the first byte of the body arrived; absent: none did. */
	readonly firstByteAt?: number | undefined;
	/** When the last byte arrived. */
	readonly lastByteAt?: number | undefined;
	/** Whether anything arrived after the stream's opening. */
	readonly hasKeptAlive: boolean;
	/** When the stream ended; absent: it was still open. */
	readonly endedAt?: number | undefined;
}

type Headers = Readonly<Record<string, string>>;

/** How long a response may take, in milliseconds. */
const REPLY_MS = 10_000;
/** What arrives so soon after the first byte belongs to the opening of a stream, in milliseconds. */
const OPENING_MS = 100;

/** Sends a request on a connection of its own, as a balancer may give each request to another node. */
export function send(url: string, method: string, headers: Headers, body?: string): Promise<Reply> {
	return new Promise((resolve, reject) => {
		const request = begin(url, method, headers);
		request.setTimeout(REPLY_MS, () => request.destroy(new Error('no response in 10 s')));
		request.once('error', reject);
		request.once('response', (response: IncomingMessage) => {
			let text = '';
			response.setEncoding('utf8');
			response.on('data', (chunk: string) => {
				text += chunk;
			});
			response.once('error', reject);
			response.once('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }));
		});
		request.end(body);
	});
}

/** Opens a stream and watches it for `watchMs`; where nothing arrives, for `firstByteMs`. */
export function watch(url: string, headers: Headers, watchMs: number, firstByteMs: number): Promise<Watched> {
	return new Promise((resolve) => {
		const begun = performance.now();
		const at = () => performance.now() - begun;
		let [status, answered]: [number, IncomingHttpHeaders] = [0, {}];
		let firstByteAt: number | undefined;
		let lastByteAt: number | undefined;
		let hasKeptAlive = false;
		const request = begin(url, 'GET', headers);
		const finish = (endedAt?: number) => {
			clearTimeout(timer);
			clearTimeout(patience);
			request.destroy();
			resolve({ status, headers: answered, firstByteAt, lastByteAt, hasKeptAlive, endedAt });
		};
		let isOver = false;
		const timer = setTimeout(() => {
			isOver = true;
			if (firstByteAt !== undefined) finish();
		}, watchMs);
		const patience = setTimeout(() => firstByteAt === undefined && finish(), firstByteMs);
		request.on('error', () => finish(at()));
		request.once('response', (response: IncomingMessage) => {
			[status, answered] = [response.statusCode ?? 0, response.headers];
			response.on('data', () => {
				lastByteAt = at();
				if (firstByteAt === undefined) firstByteAt = lastByteAt;
				else if (lastByteAt - firstByteAt > OPENING_MS) hasKeptAlive = true;
				if (isOver) finish();
			});
			response.on('error', () => finish(at()));
			response.once('close', () => finish(at()));
		});
		request.end();
	});
}

function begin(url: string, method: string, headers: Headers): ClientRequest {
	const send = url.startsWith('https:') ? httpsRequest : httpRequest;
	return send(url, { method, headers, agent: false });
}
