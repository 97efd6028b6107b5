import { createHash } from 'node:crypto';
import { SessionManagerError, systemClock } from '@holdfast/session-manager';
import { Cluster, Redis, type RedisOptions } from 'ioredis';

/** Where Redis is: a client of the caller's, which stays the caller's to close, or how to make one. */
export type RedisSource = Redis | Cluster | RedisOptions | string;

/** How long a command may take before the store counts as away, in milliseconds. */
const COMMAND_TIMEOUT_MS = 800;

/** A Lua script, known to the server by its hash once it has run there. */
export class RedisScript {
	readonly lua: string;
	readonly sha: string;

	constructor(lua: string) {
		this.lua = lua;
		this.sha = createHash('sha1').update(lua).digest('hex');
	}
}

interface Pending {
	readonly since: number;
	readonly reject: (error: Error) => void;
}

/**
 * The connection for commands. Whatever goes wrong with Redis itself (not there, stalled, failing over, loading) becomes
 * `SessionManagerError` `unavailable`, within {@link COMMAND_TIMEOUT_MS}.
 */
export class RedisConnection {
	readonly client: Redis | Cluster;
	readonly #owned: boolean;
	readonly #loaded = new Set<RedisScript>();
	/** Commands under way, oldest first: one timer watches them all. */
	readonly #pending = new Set<Pending>();
	readonly #onerror: (error: Error) => void;
	readonly #onconnectionerror = (error: Error) => this.#onerror(error);
	readonly #forgetScripts = () => this.#loaded.clear();
	#stopWatch: (() => void) | undefined;

	constructor(source: RedisSource, onerror: (error: Error) => void) {
		this.#onerror = onerror;
		this.#owned = !(source instanceof Redis) && !(source instanceof Cluster);
		if (source instanceof Redis || source instanceof Cluster) this.client = source;
		else if (typeof source === 'string') this.client = new Redis(source, { maxRetriesPerRequest: null });
		else {
			// Our scripts' answers are read in the default mapping.
			const { replyMapping: _, ...options } = source;
			this.client = new Redis({ maxRetriesPerRequest: null, ...options });
		}
		// Without a listener, a lost connection would end the process.
		this.client.on('error', this.#onconnectionerror);
		// Another server may answer next, which knows no scripts.
		this.client.on('close', this.#forgetScripts);
		this.client.on('+node', this.#forgetScripts);
	}

	get isCluster(): boolean {
		return this.client instanceof Cluster;
	}

	/** Runs a script. All of `keys` are on one slot. Scripts that are called in an order run in that order. */
	async run(script: RedisScript, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
		const { client } = this;
		if (this.#loaded.has(script)) {
			try {
				return await this.within(client.evalsha(script.sha, keys.length, ...keys, ...args));
			} catch (error) {
				if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
				this.#loaded.delete(script);
			}
		}
		const answer = await this.within(client.eval(script.lua, keys.length, ...keys, ...args));
		// A cluster has a cache on each node, so there only NOSCRIPT can tell; asking costs less than sending the text each time.
		this.#loaded.add(script);
		return answer;
	}

	/** The answer of a command, or `unavailable` when there is none in time. */
	within<T>(command: Promise<T>): Promise<T> {
		return new Promise<T>((resolve, reject) => {
			const pending: Pending = { since: systemClock.now(), reject };
			this.#pending.add(pending);
			this.#stopWatch ??= systemClock.after(COMMAND_TIMEOUT_MS, () => this.#watch());
			command.then(
				(value) => {
					this.#pending.delete(pending);
					resolve(value);
				},
				(error: unknown) => {
					this.#pending.delete(pending);
					reject(translate(error));
				},
			);
		});
	}

	/** Closes the connection if it was made here. */
	async close(): Promise<void> {
		this.#stopWatch?.();
		this.client.off('close', this.#forgetScripts);
		this.client.off('+node', this.#forgetScripts);
		if (this.#owned) this.client.disconnect();
		else this.client.off('error', this.#onconnectionerror);
	}

	#watch(): void {
		this.#stopWatch = undefined;
		const now = systemClock.now();
		for (const pending of this.#pending) {
			const left = pending.since + COMMAND_TIMEOUT_MS - now;
			if (left > 0) {
				this.#stopWatch = systemClock.after(left, () => this.#watch());
				return;
			}
			this.#pending.delete(pending);
			pending.reject(new SessionManagerError('unavailable', 'Redis did not answer in time.'));
		}
	}
}

/** Answers of a server that is there but cannot serve now: it loads, fails over, or lost its cluster. */
const transientReplies = /^(LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|NOREPLICAS|UNKILLABLE|BUSY|MOVED|ASK)\b/;

function translate(error: unknown): Error {
	if (error instanceof SessionManagerError) return error;
	if (!(error instanceof Error)) return new Error(String(error));
	if (error.name === 'ReplyError' && !transientReplies.test(error.message)) return error;
	return new SessionManagerError('unavailable', 'Redis cannot be reached.', { cause: error });
}
