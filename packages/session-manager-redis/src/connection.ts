import { createHash } from 'node:crypto';
import { SessionManagerError, systemClock } from '@holdfast/session-manager/custom';
import { toError } from '@holdfast/session-manager/internal';
import type { Cluster, Redis } from 'ioredis';
import { keyPrefixOf, ownClient } from './client.js';
import { lackingOf, refusalOf } from './permissions.js';
import { slotOf } from './slot.js';
import { addressOf, checkSource, isCluster, type RedisSource } from './source.js';
import { withoutCommand } from './without-command.js';

/** How long a server may send no reply before it counts as unavailable, in milliseconds. */
const COMMAND_TIMEOUT_MS = 800;

/** A Lua script. A server knows it by its hash once it has run there. */
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
	/** The server that received the command, once one did. Each server replies in order. */
	server: string | undefined;
	/** Passes the command to the client. */
	readonly start: () => void;
	readonly reject: (error: Error) => void;
}

/**
 * The connection for commands. Commands are sent in the order of the calls, each at most once. Any failure of Redis
 * itself (unreachable, stalled, failing over, loading) becomes `SessionManagerError` `unavailable` within {@link
 * COMMAND_TIMEOUT_MS}; a command that has not been passed to the client by then is never sent.
 */
export class RedisConnection {
	readonly client: Redis | Cluster;
	/** The key prefix of the caller's client. */
	readonly keyPrefix: string;
	/** The scripts that each server knows; the name of a standalone server is `''`. */
	readonly #loaded = new Map<string, Set<RedisScript>>();
	/** Pending commands, oldest first; one timer watches them all. */
	readonly #pending = new Set<Pending>();
	/** When each server last replied. */
	readonly #repliedAt = new Map<string, number>();
	/** Commands that wait for a connection, oldest first. */
	readonly #waiting = new Set<Pending>();
	readonly #onerror: (error: Error) => void;
	/** The key that permissions are tried on, until they are known to suffice. */
	#triedKey: string | undefined;
	#trying = false;
	#stopWatch: (() => void) | undefined;
	#warnedOfEviction = false;
	#closed = false;

	/** `owner` names what is constructed. */
	constructor(owner: string, source: RedisSource, onerror: (error: Error) => void) {
		checkSource(owner, source);
		this.#onerror = (error) => {
			if (!this.#closed) onerror(withoutCommand(error));
		};
		this.keyPrefix = keyPrefixOf(source);
		this.client = ownClient(source);
		// Without a listener, a lost connection would crash the process.
		this.client.on('error', this.#onerror);
		this.client.on('node error', this.#onerror);
		// The next connection may reach another server, which knows no scripts.
		this.client.on('close', () => this.#loaded.clear());
		this.client.on('-node', ({ options }: Redis) => this.#loaded.delete(`${options.host}:${options.port}`));
		this.client.on('ready', () => {
			this.#warnOfEviction().catch(this.#onerror);
			this.#startWaiting();
		});
	}

	get isCluster(): boolean {
		return isCluster(this.client);
	}

	/** From the first command on, every one fails while the user lacks a permission; `key` is one that nothing uses. */
	requirePermissions(key: string): void {
		this.#triedKey = key;
	}

	/** Runs a script and returns its reply. All `keys` must hash to one slot. */
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

	/** Sends the command that `issue` passes to the client, to the server of `key`, and returns the reply. */
	command<T>(key: string, issue: (client: Redis | Cluster, key: string) => Promise<T>): Promise<T> {
		return this.#enqueue(
			(client) => issue(client, key),
			() => this.#serverOf(key),
		);
	}

	/** Applies the timeout of a command to what another connection sends to the server of `key`. */
	within<T>(key: string, issue: () => Promise<T>): Promise<T> {
		return this.#enqueue(issue, () => `other connection to ${this.#serverOf(key)}`);
	}

	/** Connects. Idempotent. */
	connect(): void {
		if (this.#closed || (this.client.status !== 'wait' && this.client.status !== 'end')) return;
		// Errors go to `onerror`, and the client retries.
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

	#enqueue<T>(issue: (client: Redis | Cluster) => Promise<T>, serverOf: () => string): Promise<T> {
		if (this.#closed) return Promise.reject(closed());
		return new Promise<T>((resolve, reject) => {
			const pending: Pending = {
				since: systemClock.monotonic(),
				server: undefined,
				reject,
				start: () => {
					pending.server = serverOf();
					issue(this.client).then(
						(value) => {
							this.#replied(pending);
							resolve(value);
						},
						(error: unknown) => {
							if (isReply(error)) this.#replied(pending);
							else this.#pending.delete(pending);
							reject(this.#translate(error));
						},
					);
				},
			};
			this.#pending.add(pending);
			if (this.#stopWatch === undefined) this.#watchAfter(COMMAND_TIMEOUT_MS);
			const isReady = this.#isReady;
			if (isReady && this.#waiting.size === 0 && this.#triedKey === undefined) return pending.start();
			this.#waiting.add(pending);
			if (isReady) this.#startWaiting();
			else this.connect();
		});
	}

	/** A client learns a little later that its connection is closed, and refuses commands until then. */
	get #isReady(): boolean {
		const { client } = this;
		return client.status === 'ready' && (isCluster(client) || client.stream.writable);
	}

	#call(
		client: Redis | Cluster,
		script: RedisScript,
		keys: readonly string[],
		args: readonly (string | number)[],
	): Promise<unknown> {
		const known = this.#scriptsAt(keys[0] ?? '');
		if (known.has(script)) return client.evalsha(script.sha, keys.length, ...keys, ...args);
		// Later commands on the same connection find it there.
		known.add(script);
		return client.eval(script.lua, keys.length, ...keys, ...args);
	}

	#startWaiting(): void {
		if (this.#triedKey !== undefined) return void this.#tryPermissions(this.#triedKey);
		const waiting = [...this.#waiting];
		this.#waiting.clear();
		for (const pending of waiting) pending.start();
	}

	/** Starts the commands that wait, or rejects them where the user lacks a permission. */
	async #tryPermissions(key: string): Promise<void> {
		if (this.#trying) return;
		this.#trying = true;
		try {
			const lacking = await lackingOf(this.client, key);
			if (lacking.length === 0) return this.#permit();
			const refusal = refusalOf(addressOf(this.client), lacking);
			for (const pending of this.#waiting) {
				this.#pending.delete(pending);
				pending.reject(refusal);
			}
			this.#waiting.clear();
		} catch {
			// The connection was lost: commands wait for the next, or until they are late.
			if (this.#isReady) this.#permit();
		} finally {
			this.#trying = false;
		}
	}

	#permit(): void {
		this.#triedKey = undefined;
		this.#startWaiting();
	}

	/** After a busy period, the process first handles the replies that have arrived, before it declares any late. */
	#watchAfter(delayMs: number): void {
		this.#stopWatch = systemClock.after(delayMs, () => setImmediate(() => this.#watch()));
	}

	#watch(): void {
		this.#stopWatch = undefined;
		const now = systemClock.monotonic();
		let next = Number.POSITIVE_INFINITY;
		for (const pending of this.#pending) {
			// A command behind many others is not late while those get replies.
			const repliedAt = pending.server === undefined ? undefined : this.#repliedAt.get(pending.server);
			const since = Math.max(pending.since, repliedAt ?? 0);
			const left = since + COMMAND_TIMEOUT_MS - now;
			if (left > 0) next = Math.min(next, left);
			else {
				this.#pending.delete(pending);
				this.#waiting.delete(pending);
				pending.reject(this.#translate(new Error('Redis did not reply in time.')));
			}
		}
		if (next < Number.POSITIVE_INFINITY) this.#watchAfter(next);
	}

	#replied(pending: Pending): void {
		this.#pending.delete(pending);
		if (pending.server !== undefined) this.#repliedAt.set(pending.server, systemClock.monotonic());
	}

	/** Returns the server of `key`, as the cluster names it; `''` for a standalone server. */
	#serverOf(key: string): string {
		return isCluster(this.client) ? (this.client.slots[slotOf(key)]?.[0] ?? '') : '';
	}

	/** Each node of a cluster has its own script cache. */
	#scriptsAt(key: string): Set<RedisScript> {
		const server = this.#serverOf(key);
		const known = this.#loaded.get(server) ?? new Set();
		this.#loaded.set(server, known);
		return known;
	}

	#translate(error: unknown): Error {
		if (this.#closed) return closed();
		if (!(error instanceof Error)) return toError(error);
		if (error instanceof SessionManagerError) return error;
		withoutCommand(error);
		if (/^(CORRUPT|WRONGTYPE)\b/.test(error.message)) {
			return new SessionManagerError(
				'corrupt',
				'The data under a Redis key cannot be understood; another program may have written it.',
				{
					cause: error,
				},
			);
		}
		if (isReply(error) && !transientReplies.test(error.message)) return error;
		// The slots may have moved, and a dead node does not say so.
		if (isCluster(this.client)) this.client.refreshSlotsCache();
		const message = `${addressOf(this.client)} is unavailable; try again later.`;
		return new SessionManagerError('unavailable', message[0]?.toUpperCase() + message.slice(1), { cause: error });
	}

	/** Warns about an eviction policy. Every key of ours expires, so any policy but `noeviction` evicts live sessions. */
	async #warnOfEviction(): Promise<void> {
		const servers = isCluster(this.client) ? this.client.nodes('master') : [this.client];
		const infos = await Promise.all(servers.map((server) => this.#memoryOf(server)));
		for (const info of infos) {
			const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1] ?? 'noeviction';
			if (policy === 'noeviction' || this.#warnedOfEviction) continue;
			this.#warnedOfEviction = true;
			this.#onerror(
				new Error(
					`Redis evicts live sessions when its memory is full: set maxmemory-policy to noeviction (it is ${policy}).`,
				),
			);
		}
	}

	/** Returns an empty text when the server refuses the command or disconnects. */
	#memoryOf(server: Redis | Cluster): Promise<string> {
		return server.info('memory').catch(() => '');
	}
}

/** Errors of a server that cannot serve now: it is loading, failing over, full, or has lost its disk or cluster. */
const transientReplies =
	/^(LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|NOREPLICAS|UNKILLABLE|BUSY|MOVED|ASK|MISCONF|OOM)\b/;

function isReply(error: unknown): error is Error {
	return error instanceof Error && error.name === 'ReplyError';
}

function closed(): SessionManagerError {
	return new SessionManagerError('closed', 'The manager is closed.');
}
