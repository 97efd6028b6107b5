import { parseArgs } from 'node:util';
import { placeOf } from '@holdfast/session-manager/custom';
import type { ResponseMode } from '@holdfast/transport-http';
import { isFile } from './stores.js';

/** The official SDK that the server uses. */
export type SdkVersion = 'v1' | 'v2';

/** The options of the command line. */
export interface ServerOptions {
	/** The port; 0 picks a free one. */
	readonly port: number;
	readonly host: string;
	/** Where sessions are stored; see `openStore`. */
	readonly store: string;
	readonly sdk: SdkVersion;
	/** Host names that requests may use, besides those of the local machine and `host`. */
	readonly allowedHosts: readonly string[];
	readonly responseMode: ResponseMode;
	/** The interval of comments on idle streams, in milliseconds; 0: never. */
	readonly keepAliveMs: number;
	/** The secret of the tokens that requests must carry; `undefined`: every request is served as anonymous. */
	readonly jwtSecret: string | undefined;
	/** How long an unused session lives, in milliseconds; 0: forever. */
	readonly idleTtlMs: number;
	/** How long until an unused session without a connection is suspended, in milliseconds; 0: never. */
	readonly suspendAfterMs: number;
	/** How long an ended session can be read for audit, in milliseconds. */
	readonly keepEndedMs: number;
	/** The most living sessions of one principal; 0: unlimited. */
	readonly maxSessionsPerPrincipal: number;
	/** How long the server keeps serving as before after a stop signal, in milliseconds. */
	readonly drainDelayMs: number;
	/** How long calls may continue after that, in milliseconds. */
	readonly drainTimeoutMs: number;
	/** Whether requests of 2026-07-28, which have no session, are served at the same address. */
	readonly stateless: boolean;
	/** The keys that seal `requestState`; none: one that this process makes. */
	readonly requestStateKeys: readonly string[];
	/** How long idle connections are left to clients and balancers then, in milliseconds. */
	readonly drainIdleMs: number;
	/** The port of the metrics, 0 for a free one; `undefined`: none. */
	readonly metricsPort: number | undefined;
	/** The address that the metrics are served at. */
	readonly metricsHost: string;
	/** The port of the console, 0 for a free one; `undefined`: none. */
	readonly consolePort: number | undefined;
	/** How long a stream of HTTP+SSE waits for its first request, in milliseconds. */
	readonly sseGraceMs: number;
}

/** The text of `--help`. */
export const USAGE = `Usage: everything-server [options]

  --port N            port to listen on; 0 picks a free one (default 3000)
  --host H            address to listen on (default 127.0.0.1)
  --store S           where sessions are stored: memory, redis://host:port, postgres://host/database, or a file such as
                      ./sessions.db, for every process of this machine (default memory)
  --sdk V             official SDK that the server uses: v1 or v2 (default v1)
  --allowed-host H    another name that requests may use for this server; may be repeated
  --response-mode M   format of responses: auto, json or sse (default auto)
  --keep-alive-ms N   interval of comments on idle streams; 0: never (default 15000)
  --auth A            which requests are served: none (all), or jwt (a token signed with --jwt-secret) (default none)
  --jwt-secret S      the secret of the tokens (HS256), with --auth jwt
  --idle-ttl-ms N     how long an unused session lives; 0: forever (default 1800000)
  --suspend-after-ms N
                      how long until an unused session without a stream is suspended; 0: never (default 300000)
  --keep-ended-ms N   how long an ended session is kept in the store, for audit (default 0)
  --max-sessions-per-principal N
                      most living sessions of one principal; 0: unlimited (default 100)
  --stateless         serve 2026-07-28, which has no sessions, at the same address; with --sdk v2
  --request-state-key K
                      seals requestState, 32 characters or more, with --stateless; may be repeated (default random)
  --sse-grace-ms N    how long a stream of HTTP+SSE waits for its first request (default 30000)
  --metrics PORT      serve metrics for Prometheus at /metrics of this port; 0 picks a free one
  --metrics-host H    address to serve them at, which clients must not reach (default 127.0.0.1)
  --console PORT      serve the console at this port, of 127.0.0.1 only; its address opens it once; 0 picks a free one
  --drain-delay-ms N  how long the server keeps serving, but not ready, after a stop signal (default 0)
  --drain-timeout-ms N
                      how long calls may continue after that (default 25000)
  --drain-idle-ms N   how long idle connections are left to clients and balancers after that (default 5000)
  --help              show this
`;

/** The command line is invalid; the message says why in one line. */
export class UsageError extends Error {
	override readonly name = 'UsageError';
}

/** Parses the command line. Returns `'help'` for `--help`. Throws {@link UsageError}. */
export function parseOptions(args: readonly string[]): ServerOptions | 'help' {
	const { values } = parse(args);
	if (values.help) return 'help';
	if (values.stateless && values.sdk !== 'v2') throw new UsageError('--stateless is for --sdk v2.');
	return {
		port: toPort('--port', values.port),
		metricsPort: values.metrics === undefined ? undefined : toPort('--metrics', values.metrics),
		metricsHost: toHost('--metrics-host', values['metrics-host']),
		consolePort: values.console === undefined ? undefined : toPort('--console', values.console),
		host: toHost('--host', values.host),
		store: toStore(values.store),
		sdk: oneOf('--sdk', ['v1', 'v2'], values.sdk),
		allowedHosts: values['allowed-host'],
		responseMode: oneOf('--response-mode', ['auto', 'json', 'sse'], values['response-mode']),
		keepAliveMs: toMilliseconds('--keep-alive-ms', values['keep-alive-ms']),
		jwtSecret: toSecret(oneOf('--auth', ['none', 'jwt'], values.auth), values['jwt-secret']),
		idleTtlMs: toMilliseconds('--idle-ttl-ms', values['idle-ttl-ms']),
		suspendAfterMs: toMilliseconds('--suspend-after-ms', values['suspend-after-ms']),
		keepEndedMs: toMilliseconds('--keep-ended-ms', values['keep-ended-ms']),
		maxSessionsPerPrincipal: toCount('--max-sessions-per-principal', values['max-sessions-per-principal']),
		drainDelayMs: toMilliseconds('--drain-delay-ms', values['drain-delay-ms']),
		drainTimeoutMs: toMilliseconds('--drain-timeout-ms', values['drain-timeout-ms']),
		stateless: values.stateless,
		drainIdleMs: toMilliseconds('--drain-idle-ms', values['drain-idle-ms']),
		requestStateKeys: values['request-state-key'].map(toKey),
		sseGraceMs: toGrace(values['sse-grace-ms']),
	};
}

function parse(args: readonly string[]) {
	try {
		return parseArgs({
			args: [...args],
			strict: true,
			allowPositionals: false,
			options: {
				port: { type: 'string', default: '3000' },
				metrics: { type: 'string' },
				'metrics-host': { type: 'string', default: '127.0.0.1' },
				console: { type: 'string' },
				host: { type: 'string', default: '127.0.0.1' },
				store: { type: 'string', default: 'memory' },
				sdk: { type: 'string', default: 'v1' },
				'allowed-host': { type: 'string', multiple: true, default: [] },
				'response-mode': { type: 'string', default: 'auto' },
				'keep-alive-ms': { type: 'string', default: '15000' },
				auth: { type: 'string', default: 'none' },
				'jwt-secret': { type: 'string' },
				'idle-ttl-ms': { type: 'string', default: '1800000' },
				'suspend-after-ms': { type: 'string', default: '300000' },
				'keep-ended-ms': { type: 'string', default: '0' },
				'max-sessions-per-principal': { type: 'string', default: '100' },
				'drain-delay-ms': { type: 'string', default: '0' },
				'drain-timeout-ms': { type: 'string', default: '25000' },
				'drain-idle-ms': { type: 'string', default: '5000' },
				'sse-grace-ms': { type: 'string', default: '30000' },
				'request-state-key': { type: 'string', multiple: true, default: [] },
				stateless: { type: 'boolean', default: false },
				help: { type: 'boolean', default: false },
			},
		});
	} catch (error) {
		const [line = ''] = (error as Error).message.split('\n');
		throw new UsageError(line.endsWith('.') ? line : `${line}.`);
	}
}

function toPort(flag: string, text: string): number {
	const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
	if (!(port <= 65_535)) throw new UsageError(`${flag} takes a number from 0 to 65535, not '${text}'.`);
	return port;
}

function toMilliseconds(flag: string, text: string): number {
	if (!/^\d{1,9}$/.test(text)) throw new UsageError(`${flag} takes a number of milliseconds, not '${text}'.`);
	return Number(text);
}

function toCount(flag: string, text: string): number {
	if (!/^\d{1,9}$/.test(text)) throw new UsageError(`${flag} takes a number, not '${text}'.`);
	return Number(text);
}

function toGrace(text: string): number {
	const grace = toMilliseconds('--sse-grace-ms', text);
	if (grace === 0) throw new UsageError('--sse-grace-ms takes at least 1.');
	return grace;
}

function toSecret(auth: 'none' | 'jwt', secret: string | undefined): string | undefined {
	if (auth === 'jwt' && !secret) throw new UsageError('--auth jwt takes a --jwt-secret.');
	if (auth === 'none' && secret !== undefined) throw new UsageError('--jwt-secret is for --auth jwt.');
	return secret;
}

function toKey(text: string): string {
	if (text.length < 32) throw new UsageError('--request-state-key takes 32 characters or more.');
	return text;
}

function toStore(text: string): string {
	const isUrl = /^(rediss?|postgres(ql)?):/.test(text) && URL.canParse(text);
	if (text === 'memory' || isUrl || isFile(text)) return text;
	throw new UsageError(
		'--store takes memory, redis://host:port, postgres://host/database or a file such as ./sessions.db, ' +
			`not '${placeOf(text)}'.`,
	);
}

function toHost(flag: string, text: string): string {
	if (text === '') throw new UsageError(`${flag} takes an address or a name, such as 127.0.0.1.`);
	return text;
}

function oneOf<Choice extends string>(flag: string, choices: readonly Choice[], text: string): Choice {
	const choice = choices.find((candidate) => candidate === text);
	if (choice === undefined) throw new UsageError(`${flag} takes ${choices.join(' or ')}, not '${text}'.`);
	return choice;
}
