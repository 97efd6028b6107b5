import { isThenable, placeOf } from '@holdfast/session-manager/custom';
import { shown } from '@holdfast/session-manager/internal';
import type { Cluster, Redis, RedisOptions } from 'ioredis';

/**
 * How to reach Redis: a client of the caller's, or the options or URL of a new one. A client serves as a template only:
 * managers open connections of their own with its options, and never use, subscribe or close it.
 */
export type RedisSource = Redis | Cluster | RedisOptions | string;

const EXPECTED = "a URL such as 'redis://localhost:6379', a client of ioredis, or its options";

/** Throws `TypeError` for what cannot be a source, with one sentence that says what to pass. */
export function checkSource(owner: string, source: unknown): void {
	if (typeof source === 'string') return checkUrl(owner, source);
	if (typeof source !== 'object' || source === null || Array.isArray(source))
		throw new TypeError(`${owner} needs ${EXPECTED}, not ${shown(source)}.`);
	if (isThenable(source)) throw new TypeError(`${owner} needs ${EXPECTED}, not a promise: await it first.`);
	const { url, connect, sendCommand, duplicate, defineCommand } = source as Readonly<Record<string, unknown>>;
	if (typeof duplicate === 'function' && typeof defineCommand === 'function') return;
	if ([connect, sendCommand, duplicate, defineCommand].some((member) => typeof member === 'function'))
		throw new TypeError(`${owner} needs ${EXPECTED}; ${shown(source)} is a client of another library.`);
	if (url !== undefined) throw new TypeError(`${owner} takes the URL itself, not an object with a url.`);
}

function checkUrl(owner: string, source: string): void {
	const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(source)?.[1]?.toLowerCase();
	const isUsable =
		scheme === undefined
			? // A host, a port or the path of a socket, as with ioredis, which takes a slip such as `redis:/` for one, too.
				source !== '' && !/^rediss?:\//i.test(source)
			: (scheme === 'redis' || scheme === 'rediss') && URL.canParse(source);
	if (isUsable) return;
	throw new TypeError(`${owner} needs ${EXPECTED}; ${shown(placeOf(source))} is no URL of Redis.`);
}

/** Checks for members instead of the class, because the caller may have another copy of ioredis. */
export function isCluster(source: RedisSource): source is Cluster {
	return typeof source === 'object' && 'isCluster' in source && source.isCluster === true;
}

export function isClient(source: RedisSource): source is Redis {
	return typeof source === 'object' && 'duplicate' in source && !isCluster(source);
}

/** Returns how errors name what `client` reaches, without user and password. */
export function addressOf(client: Redis | Cluster): string {
	if (isCluster(client)) {
		const nodes = client.nodes().map(({ options: { host, port } }) => `${host}:${port}`);
		return nodes.length === 0 ? 'the Redis cluster' : `the Redis cluster at ${nodes.join(', ')}`;
	}
	const { host, port, path, sentinels, name } = client.options;
	if (sentinels && sentinels.length > 0) {
		const watchers = sentinels.map((sentinel) => `${sentinel.host}:${sentinel.port}`);
		return `Redis '${name}' of the Sentinels at ${watchers.join(', ')}`;
	}
	return `Redis at ${path ?? `${host}:${port}`}`;
}
