import { InfoSessionManager, StreamSessionManager } from '@holdfast/session-manager';
import {
	bytes,
	callback,
	clock,
	count,
	flag,
	group,
	hasMethods,
	ms,
	type OptionSchemas,
	option,
	positive,
	positiveBytes,
	text,
	word,
} from '@holdfast/session-manager/internal';
import type { NodeRegistryOptions } from './cluster/node-registry.js';
import type { AuthenticationOptions } from './http/authentication.js';
import type { BodyOptions } from './http/body-budget.js';
import type { ConnectionsOptions } from './http/connections.js';
import type { RequestGuardOptions } from './http/request-guard.js';
import type { NodeOptions } from './node/node-context.js';
import type { ServerTransportOptions } from './options.js';
import type { LocalSessionOptions } from './session/local-session.js';
import type { SessionFactoryOptions } from './session/session-factory.js';
import type { SessionIdOptions } from './session/session-id.js';

const isStreams = (value: unknown) => hasMethods(value, ['create', 'delete', 'has', 'send']);
const isInfo = (value: unknown) => hasMethods(value, ['create', 'read', 'update', 'touch', 'delete']);

const nodeSchemas: OptionSchemas<NodeOptions> = {
	sessionManager: option('{ streams, info }, a stream manager and an info manager', isPair),
	clock,
	onerror: callback,
	observe: option('an observer, or a list of them', isObservers),
};

const nodeRegistrySchemas: OptionSchemas<NodeRegistryOptions> = {
	node: group('an object with version and address', { version: text, address: text }),
};

const connectionsSchemas: OptionSchemas<ConnectionsOptions> = {
	maxStreams: count,
	maxStreamsPerSession: count,
	keepAliveMs: ms,
	retryMs: ms,
};

const localSessionSchemas: OptionSchemas<LocalSessionOptions> = {
	maxRequestsInFlight: positive,
	maxRequestsWaiting: count,
	maxSubscriptions: count,
	maxMessageBytes: positiveBytes,
};

const sessionFactorySchemas: OptionSchemas<SessionFactoryOptions> = {
	idleTtlMs: ms,
	unusedTtlMs: ms,
	absoluteTtlMs: ms,
	keepEndedMs: ms,
	maxSessionsPerPrincipal: count,
	tooManySessions: word('refuse', 'end-oldest'),
	fullStore: word('refuse', 'end-oldest'),
	maxNewSessionsPerPrincipalPerMinute: count,
	maxNewSessionsPerAddressPerMinute: count,
};

const sessionIdSchemas: OptionSchemas<SessionIdOptions> = {
	getSessionId: callback,
	hashSessionIds: flag,
};

const requestGuardSchemas: OptionSchemas<RequestGuardOptions> = {
	allowedHosts: option(
		"a list of names without scheme, path or wildcard, such as ['mcp.example.com'], or 'any'",
		listOrAny(/^(\[[\da-f:.]+\]|[^\s/?#@:*[\]]+)(:\d{1,5})?$/i),
	),
	allowedOrigins: option(
		"a list of origins without path or wildcard, such as ['https://example.com'], or 'any'",
		listOrAny(/^(null|[a-z][a-z\d+.-]*:\/\/[^\s/?#@*]+)$/i),
	),
	cors: flag,
};

const authenticationSchemas: OptionSchemas<AuthenticationOptions> = {
	authenticate: callback,
	resourceMetadataUrl: option('a URL that begins with https:// or http://', isWebUrl),
	foreignSession: word('forbidden', 'not-found'),
};

const bodySchemas: OptionSchemas<BodyOptions> = {
	maxBodyBytes: positiveBytes,
	maxBodyBytesInFlight: positiveBytes,
	maxBodyBytesPerAddress: bytes,
	maxBodyBytesPerSession: bytes,
	bodyTimeoutMs: ms,
};

/** The options that every transport has. */
export const serverTransportSchemas: OptionSchemas<ServerTransportOptions> = {
	...nodeSchemas,
	...nodeRegistrySchemas,
	...connectionsSchemas,
	...localSessionSchemas,
	...sessionFactorySchemas,
	...sessionIdSchemas,
	suspendAfterMs: ms,
	maxLiveServers: count,
	...requestGuardSchemas,
	...authenticationSchemas,
	...bodySchemas,
};

function isObservers(value: unknown): boolean {
	const isObserver = (one: unknown) => hasMethods(one, ['event']) || hasMethods(one, ['run']);
	return Array.isArray(value) ? value.every(isObserver) : isObserver(value);
}

function isWebUrl(value: unknown): boolean {
	return typeof value === 'string' && /^https?:\/\//i.test(value) && URL.canParse(value);
}

/** Returns what accepts 'any', and lists of such texts; a text that nothing is like would refuse everybody, unsaid. */
function listOrAny(allowed: RegExp): (value: unknown) => boolean {
	const fits = (item: unknown) => typeof item === 'string' && allowed.test(item);
	return (value) => value === 'any' || (Array.isArray(value) && value.length > 0 && value.every(fits));
}

/** A manager itself is none: where it is taken for the pair, everything would be kept in memory. */
function isPair(value: unknown): boolean {
	if (typeof value !== 'object' || value === null) return false;
	if (value instanceof StreamSessionManager || value instanceof InfoSessionManager) return false;
	const { streams, info } = value as { readonly streams?: unknown; readonly info?: unknown };
	const isEmpty = Object.keys(value).length === 0;
	const hasEither = 'streams' in value || 'info' in value;
	return (
		(isEmpty || hasEither) && (streams === undefined || isStreams(streams)) && (info === undefined || isInfo(info))
	);
}
