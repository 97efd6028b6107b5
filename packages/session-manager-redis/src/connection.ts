import { createHash } from 'node:crypto';
import { SessionManagerError, systemClock } from '@holdfast/session-manager/custom';
import type { Cluster, Redis } from 'ioredis';
import { isCluster, keyPrefixOf, ownClient, type RedisSource } from './client.js';
import { slotOf } from './slot.js';

/** How long a server may answer nothing before it counts as away, in milliseconds. */
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
	/** The server that was asked, once one was: what is asked of one server is answered in turn. */
	server: string | undefined;
	/** Gives the command to the client. */
	readonly start: () => void;
	readonly reject: (error: Error) => void;
}

/**
 * The connection for commands. Commands go out in the order in which they were called, each at most once. Whatever goes wrong
 * with Redis itself (not there, stalled, failing over, loading) becomes `SessionManagerError` `unavailable`, within
 * {@link COMMAND_TIMEOUT_MS}; a command that was not given to Redis by then never is.
 */
export class RedisConnection {
	readonly client: Redis | Cluster;
	/** What the keys of the caller's client begin with. */
	readonly keyPrefix: string;
	/** The scripts that each server knows; a standalone one is `''`. */
	readonly #loaded = new Map<string, Set<RedisScript>>();
	/** Commands under way, oldest first: one timer watches them all. */
	readonly #pending = new Set<Pending>();
	/** When each server answered last. */
	readonly #answeredAt = new Map<string, number>();
	/** Those that wait for a connection, oldest first. */
	readonly #waiting = new Set<Pending>();
	readonly #onerror: (error: Error) => void;
	#stopWatch: (() => void) | undefined;
	#evictionTold = false;
	#closed = false;

	constructor(source: RedisSource, onerror: (error: Error) => void) {
		this.#onerror = (error) => {
			if (!this.#closed) onerror(error);
		};
		this.keyPrefix = keyPrefixOf(source);
		this.client = ownClient(source);
		// Without a listener, a lost connection would end the process.
		this.client.on('error', this.#onerror);
		this.client.on('node error', this.#onerror);
		// Another server may answer next, which knows no scripts.
		this.client.on('close', () => this.#loaded.clear());
		this.client.on('-node', ({ options }: Redis) => this.#loaded.delete(`${options.host}:${options.port}`));
		this.client.on('ready', () => this.#startWaiting());
	}

	get isCluster(): boolean {
		return isCluster(this.client);
	}

	/** Runs a script. All of `keys` are on one slot. */
	async run(script: RedisScript, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
		const [key = ''] = keys;
		try {
			return await this.command(key, (client) => this.#call(client, script, keys, args));
		} catch (error) {
			if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
			this.#scriptsAt(key).delete(script);
			return this.command(key, (client) => this.#call(client, script, keys, args));
		}
	}

	/** The answer of a command about `key` that `issue` gives to the client, once it is connected. */
	command<T>(key: string, issue: (client: Redis | Cluster, key: string) => Promise<T>): Promise<T> {
		return this.#inTurn(
			(client) => issue(client, key),
			() => this.#serverOf(key),
		);
	}

	/** The answer to what another connection asks of the server that has `key`, in no more time than a command has. */
	within<T>(key: string, issue: () => Promise<T>): Promise<T> {
		return this.#inTurn(issue, () => `other connection to ${this.#serverOf(key)}`);
	}

	/** Connects, unless it did before. */
	connect(): void {
		if (this.#closed || (this.client.status !== 'wait' && this.client.status !== 'end')) return;
		// What goes wrong is told to `onerror`, and tried again.
		this.client.connect().catch(() => {});
	}

	/** Closes the connection. */
	close(): void {
		this.#closed = true;
		this.#stopWatch?.();
		this.client.disconnect();
		for (const pending of this.#pending) pending.reject(closed());
		this.#pending.clear();
		this.#waiting.clear();
	}

	#inTurn<T>(issue: (client: Redis | Cluster) => Promise<T>, asked: () => string): Promise<T> {
		if (this.#closed) return Promise.reject(closed());
		return new Promise<T>((resolve, reject) => {
			const pending: Pending = {
				since: systemClock.now(),
				server: undefined,
				reject,
				start: () => {
					pending.server = asked();
					issue(this.client).then(
						(value) => {
							this.#answered(pending);
							resolve(value);
						},
						(error: unknown) => {
							if (isReply(error)) this.#answered(pending);
							else this.#pending.delete(pending);
							reject(this.#translate(error));
						},
					);
				},
			};
			this.#pending.add(pending);
			if (this.#stopWatch === undefined) this.#watchAfter(COMMAND_TIMEOUT_MS);
			if (this.client.status === 'ready' && this.#waiting.size === 0) return pending.start();
			this.#waiting.add(pending);
			this.connect();
		});
	}

	#call(
		client: Redis | Cluster,
		script: RedisScript,
		keys: readonly string[],
		args: readonly (string | number)[],
	): Promise<unknown> {
		const known = this.#scriptsAt(keys[0] ?? '');
		if (known.has(script)) return client.evalsha(script.sha, keys.length, ...keys, ...args);
		// What follows on the same connection finds it there.
		known.add(script);
		return client.eval(script.lua, keys.length, ...keys, ...args);
	}

	#startWaiting(): void {
		this.#tellOfEviction().catch(this.#onerror);
		const waiting = [...this.#waiting];
		this.#waiting.clear();
		for (const pending of waiting) pending.start();
	}

	/** A process that was busy for long looks at the answers that came meanwhile, before it calls them late. */
	#watchAfter(delayMs: number): void {
		this.#stopWatch = systemClock.after(delayMs, () => setImmediate(() => this.#watch()));
	}

	#watch(): void {
		this.#stopWatch = undefined;
		const now = systemClock.now();
		let next = Number.POSITIVE_INFINITY;
		for (const pending of this.#pending) {
			// What waits behind many others is not late while these are answered.
			const answeredAt = pending.server === undefined ? undefined : this.#answeredAt.get(pending.server);
			const since = Math.max(pending.since, answeredAt ?? 0);
			const left = since + COMMAND_TIMEOUT_MS - now;
			if (left > 0) next = Math.min(next, left);
			else {
				this.#pending.delete(pending);
				this.#waiting.delete(pending);
				pending.reject(this.#translate(new Error('Redis did not answer in time.')));
			}
		}
		if (next < Number.POSITIVE_INFINITY) this.#watchAfter(next);
	}

	#answered(pending: Pending): void {
		this.#pending.delete(pending);
		if (pending.server !== undefined) this.#answeredAt.set(pending.server, systemClock.now());
	}

	/** The server that has `key`, as a cluster names it; `''` for a standalone one. */
	#serverOf(key: string): string {
		return isCluster(this.client) ? (this.client.slots[slotOf(key)]?.[0] ?? '') : '';
	}

	/** A cluster has a cache of scripts on each node; only what ran there is known there. */
	#scriptsAt(key: string): Set<RedisScript> {
		const server = this.#serverOf(key);
		const known = this.#loaded.get(server) ?? new Set();
		this.#loaded.set(server, known);
		return known;
	}

	#translate(error: unknown): Error {
		if (this.#closed) return closed();
		if (!(error instanceof Error)) return new Error(String(error));
		if (error instanceof SessionManagerError) return error;
		if (/^(CORRUPT|WRONGTYPE)\b/.test(error.message)) {
			return new SessionManagerError('corrupt', 'What Redis holds under this key cannot be understood.', {
				cause: error,
			});
		}
		if (isReply(error) && !transientReplies.test(error.message)) return error;
		// Who serves a slot may have changed, and a dead node does not say so.
		if (isCluster(this.client)) this.client.refreshSlotsCache();
		return new SessionManagerError('unavailable', 'Redis cannot be reached.', { cause: error });
	}

	/** Every key of ours expires, so under any other policy Redis drops live sessions when its memory is full. */
	async #tellOfEviction(): Promise<void> {
		const servers = isCluster(this.client) ? this.client.nodes('master') : [this.client];
		const infos = await Promise.all(servers.map((server) => this.#memoryOf(server)));
		for (const info of infos) {
			const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1] ?? 'noeviction';
			if (policy === 'noeviction' || this.#evictionTold) continue;
			this.#evictionTold = true;
			this.#onerror(
				new Error(
					`Redis drops live sessions when its memory is full: set maxmemory-policy to noeviction (is ${policy}).`,
				),
			);
		}
	}

	/** Empty where it may not be asked, or went again. */
	#memoryOf(server: Redis | Cluster): Promise<string> {
		return server.info('memory').catch(() => '');
	}
}

/** Answers of a server that is there but cannot serve now: it loads, fails over, is full, or lost its disk or cluster. */
const transientReplies =
	/^(LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|NOREPLICAS|UNKILLABLE|BUSY|MOVED|ASK|MISCONF|OOM)\b/;

function isReply(error: unknown): error is Error {
	return error instanceof Error && error.name === 'ReplyError';
}

function closed(): SessionManagerError {
	return new SessionManagerError('closed', 'The manager is closed.');
}
