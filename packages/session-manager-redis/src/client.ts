import { createRequire } from 'node:module';
import type { Cluster, Redis } from 'ioredis';
import { batchWrites } from './batched-writes.js';
import { readBeforeSilence } from './silent-server.js';
import { isClient, isCluster, type RedisSource } from './source.js';

/** How long a server may leave a command without a reply before its connection is reopened, in milliseconds. */
const SILENCE_MS = 2_000;
/** The timeout of a connection attempt, in milliseconds. */
const CONNECT_TIMEOUT_MS = 3_000;
/** The longest delay between two connection attempts, in milliseconds. */
const MAX_RETRY_DELAY_MS = 500;

const retryDelay = (times: number) => Math.min(times * 50, MAX_RETRY_DELAY_MS);

/** The options of every connection of ours, whatever the caller's client has: the managers' promises depend on them. */
const connectionOptions = Object.freeze({
	lazyConnect: true,
	retryStrategy: retryDelay,
	connectTimeout: CONNECT_TIMEOUT_MS,
	socketTimeout: SILENCE_MS,
	// A command that was in flight when the connection was lost may have run already; a retry could run it twice.
	autoResendUnfulfilledCommands: false,
	maxRetriesPerRequest: 0,
	// A command that waits here would run long after its caller was told that it failed.
	enableOfflineQueue: false,
	autoResubscribe: false,
	// Leaves a master that became a replica, to find the new master.
	reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
	// The replies of the scripts are parsed in these formats, and keys are built in one place.
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
	// These would retry commands that may have run already, or reorder waiting ones.
	retryDelayOnFailover: 0,
	retryDelayOnClusterDown: 0,
	// Detects what no reply reveals: a manual failover, or a slot that moved.
	slotsRefreshInterval: 5_000,
	scaleReads: 'master',
	shardedSubscribers: false,
	keyPrefix: '',
} as const);

/** Creates a client of our own for `source`. It connects on first use. */
export function ownClient(source: RedisSource): Redis | Cluster {
	const client = clientFor(source);
	if (!isCluster(client)) prepareConnections(client);
	else {
		client.on('+node', (node: Redis) => {
			prepareConnections(node);
			neverAsReplica(node);
		});
	}
	return client;
}

function clientFor(source: RedisSource): Redis | Cluster {
	if (isCluster(source)) {
		// The offline queue inside a cluster client also holds commands that wait for the first connection to a node.
		const { enableOfflineQueue: _, retryStrategy: __, ...nodeOptions } = connectionOptions;
		const redisOptions = { ...source.options.redisOptions, ...nodeOptions };
		return source.duplicate([], { ...clusterOptions, redisOptions });
	}
	if (isClient(source)) return source.duplicate({ ...connectionOptions });
	const { Redis } = ioredis();
	return typeof source === 'string'
		? new Redis(source, { ...connectionOptions })
		: new Redis({ ...source, ...connectionOptions });
}

/** Loads ioredis only where the caller has no client of it: so the error where it is missing can say what to do. */
function ioredis(): typeof import('ioredis') {
	try {
		return createRequire(import.meta.url)('ioredis') as typeof import('ioredis');
	} catch (cause) {
		throw new Error('@holdfast/session-manager-redis needs ioredis; install it: npm install ioredis', { cause });
	}
}

/** Creates a connection to the same server as `client`, for pub/sub. */
export function ownSubscriber(client: Redis): Redis {
	const subscriber = client.duplicate({ ...connectionOptions });
	prepareConnections(subscriber);
	return subscriber;
}

/**
 * Where it has no connection to a master, a cluster client asks any node. A replica then names the master, unless the
 * client has permitted it to answer with what it has got so far.
 */
function neverAsReplica(node: Redis): void {
	node.readonly = () => Promise.resolve('OK');
}

/** Prepares each connection that `client` makes. */
function prepareConnections(client: Redis): void {
	client.on('connect', () => {
		batchWrites(client.stream);
		readBeforeSilence(client.stream);
	});
}

/** Returns the key prefix that the caller configured on `source`. */
export function keyPrefixOf(source: RedisSource): string {
	if (typeof source === 'string') return '';
	return (isClient(source) || isCluster(source) ? source.options.keyPrefix : source.keyPrefix) ?? '';
}
