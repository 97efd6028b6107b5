import { type Cluster, Redis, type RedisOptions } from 'ioredis';

/**
 * Where Redis is: a client of the caller's, or options or a URL to make one. A client is taken as a pattern: managers make
 * connections of their own from its options, and never use, subscribe or close it.
 */
export type RedisSource = Redis | Cluster | RedisOptions | string;

/** How long a server may say nothing to a question before its connection is made anew, in milliseconds. */
const SILENCE_MS = 2_000;
/** How long an attempt to connect may take, in milliseconds. */
const CONNECT_TIMEOUT_MS = 3_000;
/** The longest wait between two attempts to connect, in milliseconds. */
const MAX_RETRY_DELAY_MS = 500;

const retryDelay = (times: number) => Math.min(times * 50, MAX_RETRY_DELAY_MS);

/** What every connection of ours has, whatever the caller's has: the promises of the managers depend on it. */
const connectionOptions = Object.freeze({
	lazyConnect: true,
	retryStrategy: retryDelay,
	connectTimeout: CONNECT_TIMEOUT_MS,
	socketTimeout: SILENCE_MS,
	// A command that was under way when the connection was lost may have been carried out: repeated, it could be so twice.
	autoResendUnfulfilledCommands: false,
	maxRetriesPerRequest: 0,
	// A command that waits here would be carried out long after its caller was told that it was not.
	enableOfflineQueue: false,
	autoResubscribe: false,
	// A master that became a replica is left for the one that took its place.
	reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
	// The scripts' answers are read in these shapes, and keys are built in one place.
	keyPrefix: '',
	stringNumbers: false,
	replyMapping: 'legacy',
	readOnly: false,
	monitor: false,
} as const);

const clusterOptions = Object.freeze({
	lazyConnect: true,
	enableOfflineQueue: true,
	clusterRetryStrategy: retryDelay,
	clusterNodeRetryStrategy: null,
	// These would repeat what may have been carried out, or change the order of what waits.
	retryDelayOnFailover: 0,
	retryDelayOnClusterDown: 0,
	// Catches what no answer tells: a fail-over by hand, a slot that moved.
	slotsRefreshInterval: 5_000,
	scaleReads: 'master',
	shardedSubscribers: false,
	keyPrefix: '',
} as const);

/** A client of our own for `source`. It connects when it is first used. */
export function ownClient(source: RedisSource): Redis | Cluster {
	if (isCluster(source)) {
		// The queue within a cluster client also holds what waits for a node's first connection.
		const { enableOfflineQueue: _, retryStrategy: __, ...nodeOptions } = connectionOptions;
		const redisOptions = { ...source.options.redisOptions, ...nodeOptions };
		return source.duplicate([], { ...clusterOptions, redisOptions });
	}
	if (isClient(source)) return source.duplicate({ ...connectionOptions });
	return typeof source === 'string'
		? new Redis(source, { ...connectionOptions })
		: new Redis({ ...source, ...connectionOptions });
}

/** A connection to the same server as `client`, for channels. */
export function ownSubscriber(client: Redis): Redis {
	return client.duplicate({ ...connectionOptions });
}

/** What the caller lets every key of `source` begin with. */
export function keyPrefixOf(source: RedisSource): string {
	if (typeof source === 'string') return '';
	return (isClient(source) || isCluster(source) ? source.options.keyPrefix : source.keyPrefix) ?? '';
}

/** Told by its members: the caller's ioredis may be installed beside ours. */
export function isCluster(source: RedisSource): source is Cluster {
	return typeof source === 'object' && 'isCluster' in source && source.isCluster === true;
}

function isClient(source: RedisSource): source is Redis {
	return typeof source === 'object' && 'duplicate' in source && !isCluster(source);
}
