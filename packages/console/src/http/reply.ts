import type { ServerResponse } from 'node:http';

/**
 * What every response says to browsers. Nothing but the console's own files is loaded, no text becomes a script, and no
 * page can show it in a frame. With `no-referrer`, browsers would not say where a form comes from.
 */
const commonHeaders: Readonly<Record<string, string>> = Object.freeze({
	'content-security-policy': [
		"default-src 'none'",
		"script-src 'self'",
		"style-src 'self'",
		"img-src 'self'",
		"connect-src 'self'",
		"form-action 'self'",
		"base-uri 'none'",
		"frame-ancestors 'none'",
		"require-trusted-types-for 'script'",
		"trusted-types 'none'",
	].join('; '),
	'x-content-type-options': 'nosniff',
	'x-frame-options': 'DENY',
	'referrer-policy': 'same-origin',
	'cross-origin-opener-policy': 'same-origin',
	'cross-origin-resource-policy': 'same-origin',
	'cache-control': 'no-store',
});

/** What is sent back. */
export interface Reply {
	readonly status: number;
	readonly headers?: Readonly<Record<string, string>>;
	readonly body?: string;
}

/** Sends a reply, to a HEAD request without its body. Does nothing where the client is gone. */
export function send(response: ServerResponse, { status, headers = {}, body = '' }: Reply, isHead = false): void {
	if (response.headersSent || response.destroyed) return;
	response.writeHead(status, { ...commonHeaders, ...headers, 'content-length': String(Buffer.byteLength(body)) });
	response.end(isHead ? undefined : body);
}

/** Begins a stream of events. */
export function beginEvents(response: ServerResponse): void {
	response.writeHead(200, {
		...commonHeaders,
		'content-type': 'text/event-stream',
		// Proxies hold back what they could compress or collect.
		'cache-control': 'no-store, no-transform',
		'x-accel-buffering': 'no',
	});
}

/** Sends the browser to another page of the console. */
export function redirect(location: string, headers: Readonly<Record<string, string>> = {}): Reply {
	return { status: 303, headers: { ...headers, location } };
}
