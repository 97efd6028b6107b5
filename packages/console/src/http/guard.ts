import type { IncomingMessage } from 'node:http';

const loopbackNames: readonly string[] = Object.freeze(['localhost', '127.0.0.1', '[::1]']);

/** Why a request is refused before anybody asks who sent it. */
export type GuardRefusal = 'host' | 'origin';

/**
 * Checks where a request comes from. `allowedHosts` are names (any port) or names with a port. A web page under another
 * name gets nothing, and only the console's own pages can send forms.
 */
export function guardOf(
	allowedHosts: readonly string[] = loopbackNames,
): (request: IncomingMessage) => GuardRefusal | undefined {
	const hosts = new Set(allowedHosts.map((host) => host.toLowerCase()));
	return (request) => {
		const host = hostOf(request);
		if (!hosts.has(host) && !hosts.has(nameOf(host))) return 'host';
		const { origin } = request.headers;
		const site = request.headers['sec-fetch-site'];
		if (origin !== undefined && !isOriginOf(origin, host)) return 'origin';
		if (request.method === 'GET' || request.method === 'HEAD') {
			// A link of another page may lead here; its scripts may not read here.
			const isLink = request.headers['sec-fetch-mode'] === 'navigate';
			return site === 'cross-site' && !isLink ? 'origin' : undefined;
		}
		// Every browser names at least one of the two with a form.
		const isOwn = site === undefined ? origin !== undefined : site === 'same-origin';
		return isOwn ? undefined : 'origin';
	};
}

/** Returns the host that a request names, without its port. */
export function hostNameOf(request: IncomingMessage): string {
	return nameOf(hostOf(request));
}

export function isLoopbackName(name: string): boolean {
	return loopbackNames.includes(name);
}

function hostOf({ headers }: IncomingMessage): string {
	const authority = headers[':authority'];
	return (headers.host ?? (typeof authority === 'string' ? authority : '')).toLowerCase();
}

function nameOf(host: string): string {
	return /^(\[[^\]]*\]|[^:]*)(?::\d{1,5})?$/.exec(host)?.[1] ?? host;
}

/** A proxy may take the encryption off, so the scheme tells nothing. */
function isOriginOf(origin: string, host: string): boolean {
	if (!/^https?:\/\/[^/?#@\s]+$/i.test(origin) || !URL.canParse(origin)) return false;
	const url = new URL(origin);
	return (
		url.host === host || url.host === nameOf(host) || `${url.host}:${url.protocol === 'https:' ? 443 : 80}` === host
	);
}
