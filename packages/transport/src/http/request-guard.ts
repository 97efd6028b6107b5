import type { Headers } from './connection.js';
import type { HttpExchange } from './exchange.js';
import { type HttpProblem, problems } from './problems.js';

/** Options for the checks of `Host` and `Origin`, which come before everything else. */
export interface RequestGuardOptions {
	/**
	 * The hosts that requests may name, each as `name` (any port) or `name:port`; `'any'` turns the check off. The check
	 * keeps web pages from reaching a local server under a name of their own (DNS rebinding).
	 * @default ['localhost', '127.0.0.1', '[::1]']
	 */
	readonly allowedHosts?: readonly string[] | 'any';
	/**
	 * The origins of web pages that may send requests, each as `scheme://host[:port]`; `'any'` turns the check off. A
	 * request without `Origin` does not come from a web page, and passes.
	 * @default the hosts of `allowedHosts`, or the local machine's names where those are `'any'`; any scheme and port
	 */
	readonly allowedOrigins?: readonly string[] | 'any';
	/**
	 * Whether allowed origins get CORS headers.
	 * @default true
	 */
	readonly cors?: boolean;
}

/** The headers that web pages may send, besides those that they ask for. */
const ALLOWED_HEADERS = Object.freeze([
	'Content-Type',
	'Accept',
	'Authorization',
	'Mcp-Session-Id',
	'MCP-Protocol-Version',
	'Last-Event-ID',
	'Mcp-Method',
	'Mcp-Name',
]);

const localHosts = Object.freeze(['localhost', '127.0.0.1', '[::1]']);
/**
 * How many verdicts are cached, and the longest value of which one is. Clients choose the values, so there must be
 * limits.
 */
const MAX_VERDICTS = 1_000;
const MAX_CACHED_LENGTH = 256;

/** Checks `Host` and `Origin` exactly (2025-11-25, Transports, Security Warning), and sets CORS headers. */
export class RequestGuard {
	readonly #hosts: ReadonlySet<string> | undefined;
	/** The hosts of origins, where {@link #origins} are not given. */
	readonly #originHosts: ReadonlySet<string>;
	readonly #origins: ReadonlySet<string> | undefined;
	readonly #anyOrigin: boolean;
	readonly #cors: boolean;
	readonly #hostVerdicts = new Map<string, boolean>();
	readonly #originVerdicts = new Map<string, boolean>();

	constructor(options: RequestGuardOptions) {
		const { allowedHosts = localHosts, allowedOrigins } = options;
		this.#hosts = allowedHosts === 'any' ? undefined : new Set(allowedHosts.map((host) => host.toLowerCase()));
		this.#originHosts = this.#hosts ?? new Set(localHosts);
		this.#anyOrigin = allowedOrigins === 'any';
		this.#origins = Array.isArray(allowedOrigins)
			? new Set(allowedOrigins.map((origin) => canonicalOrigin(origin) ?? origin))
			: undefined;
		this.#cors = options.cors ?? true;
	}

	/** Returns why the request is refused, or `undefined`. Sets the CORS headers of its response. */
	check(exchange: HttpExchange): HttpProblem | undefined {
		const hosts = this.#hosts;
		if (hosts !== undefined) {
			const host = exchange.header('host');
			if (host === undefined || !cachedVerdict(this.#hostVerdicts, host, () => isAmong(hosts, host)))
				return problems.forbiddenHost;
		}
		const origin = exchange.header('origin');
		if (origin === undefined) return undefined;
		if (!this.#anyOrigin && !cachedVerdict(this.#originVerdicts, origin, () => this.#isOriginAllowed(origin))) {
			return problems.forbiddenOrigin;
		}
		if (this.#cors) exchange.commonHeaders = corsHeaders(origin);
		return undefined;
	}

	/**
	 * Responds to a preflight request. An allowed origin may send every header that it asks for: the names of some are
	 * known only to the client and the server, such as an API key's or `Mcp-Param-*`.
	 */
	preflight(exchange: HttpExchange): void {
		const asked = (exchange.header('access-control-request-headers') ?? '')
			.split(',')
			.map((name) => name.trim())
			.filter((name) => /^[\w!#$%&'*+.^`|~-]+$/.test(name));
		exchange.respond(
			204,
			{
				allow: 'GET, POST, DELETE, OPTIONS',
				'access-control-allow-methods': 'GET, POST, DELETE, OPTIONS',
				'access-control-allow-headers': [...ALLOWED_HEADERS, ...asked].join(', '),
				vary: 'Origin, Access-Control-Request-Headers',
				'access-control-max-age': '86400',
			},
			undefined,
		);
	}

	#isOriginAllowed(origin: string): boolean {
		const exact = canonicalOrigin(origin);
		if (this.#origins !== undefined) return this.#origins.has(exact ?? origin);
		return exact !== undefined && isAmong(this.#originHosts, new URL(exact).host);
	}
}

function isAmong(hosts: ReadonlySet<string>, host: string): boolean {
	const lower = host.toLowerCase();
	return hosts.has(lower) || hosts.has(withoutPort(lower));
}

function cachedVerdict(verdicts: Map<string, boolean>, key: string, judge: () => boolean): boolean {
	const known = verdicts.get(key);
	if (known !== undefined) return known;
	if (key.length > MAX_CACHED_LENGTH) return judge();
	if (verdicts.size >= MAX_VERDICTS) verdicts.clear();
	const verdict = judge();
	verdicts.set(key, verdict);
	return verdict;
}

/** Returns `scheme://host[:port]` as browsers write it; `undefined` for anything else. */
function canonicalOrigin(origin: string): string | undefined {
	if (!/^https?:\/\/[^/?#@\s]+$/i.test(origin) || !URL.canParse(origin)) return undefined;
	return new URL(origin).origin;
}

function withoutPort(host: string): string {
	const match = /^(\[[^\]]*\]|[^:]*)(?::\d{1,5})?$/.exec(host);
	return match?.[1] ?? host;
}

function corsHeaders(origin: string): Headers {
	return {
		'access-control-allow-origin': origin,
		'access-control-expose-headers': 'Mcp-Session-Id, MCP-Protocol-Version, WWW-Authenticate, Retry-After',
		vary: 'Origin',
	};
}
