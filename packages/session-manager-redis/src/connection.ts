import { createHash } from 'node:crypto';
import { SessionManagerError, systemClock } from '@holdfast/session-manager/custom';
import { deadline, toError } from '@holdfast/session-manager/internal';
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

type ScriptArgs = readonly (string | number)[];

interface Pending {
	/** When it was asked for, or was last to be repeated. */
	since: number;
	/** The slot of its key: 0 for a standalone server, `undefined` for what another connection sends. */
	readonly slot: number | undefined;
	/** The server that it goes to, as far as that is known. Each server replies in order. */
	server: string | undefined;
	/** Whether it was passed to the client, and has no reply yet. */
	isInFlight: boolean;
	/** Passes the command to the client. */
	readonly start: () => void;
	readonly reject: (error: Error) => void;
}

/**
 * The connection for commands. Those of one slot are sent in the order of the calls, and carried out at most once: one
 * that a server has not carried out for want of the script, or of what comes before it, is repeated before any later
 * one is sent. Any failure of Redis itself (unreachable, stalled, failing over, loading) becomes `SessionManagerError`
 * `unavailable` within {@link COMMAND_TIMEOUT_MS}; a command that has not been passed to the client by then is never
 * sent.
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
	/** Commands that wait for a connection, or for their slot. */
	readonly #waiting = new Set<Pending>();
	/** The slots of commands that are to be repeated, and how many are in flight there: the others wait for those. */
	readonly #held = new Map<number | undefined, number>();
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

	/**
	 * Runs a script and returns its reply. All `keys` must hash to one slot. A function makes the `args` anew each time
	 * that the script is sent.
	 */
	run(script: RedisScript, keys: readonly string[], args: ScriptArgs | (() => ScriptArgs)): Promise<unknown> {
		return this.command(keys[0] ?? '', (client, key) =>
			this.#call(client, this.#scriptsAt(key), script, keys, typeof args === 'function' ? args() : args),
		);
	}

	/** Sends the command that `issue` passes to the client, to the server of `key`, and returns the reply. */
	command<T>(key: string, issue: (client: Redis | Cluster, key: string) => Promise<T>): Promise<T> {
		const slot = this.#slotOf(key);
		return this.#enqueue(
			slot,
			(client) => issue(client, key),
			() => this.#serverOf(slot),
		);
	}

	/** Applies the timeout of a command to what another connection sends to the server of `key`. */
	within<T>(key: string, issue: () => Promise<T>): Promise<T> {
		return this.#enqueue(undefined, issue, () => `other connection to ${this.#serverOf(this.#slotOf(key))}`);
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

	#enqueue<T>(
		slot: number | undefined,
		issue: (client: Redis | Cluster) => Promise<T>,
		serverOf: () => string,
	): Promise<T> {
		if (this.#closed) return Promise.reject(closed());
		return new Promise<T>((resolve, reject) => {
			const pending: Pending = {
				since: systemClock.monotonic(),
				slot,
				server: undefined,
				isInFlight: false,
				reject,
				start: () => {
					pending.server = serverOf();
					pending.isInFlight = true;
					issue(this.client).then(
						(value) => {
							this.#replied(pending);
							resolve(value);
							this.#land(pending);
						},
						(error: unknown) => {
							if (isNotRun(error) && this.#pending.has(pending)) return this.#repeat(pending, error);
							if (isReply(error)) this.#replied(pending);
							else this.#pending.delete(pending);
							reject(this.#translate(error));
							this.#land(pending);
						},
					);
				},
			};
			this.#pending.add(pending);
			if (this.#stopWatch === undefined) this.#watchAfter(COMMAND_TIMEOUT_MS);
			const isReady = this.#isReady;
			const isFirst = this.#waiting.size === 0 && this.#held.size === 0;
			if (isReady && isFirst && this.#triedKey === undefined) return pending.start();
			pending.server = serverOf();
			this.#waiting.add(pending);
			if (!isReady) this.connect();
			else if (!this.#held.has(slot)) this.#startWaiting();
		});
	}

	/** A client learns a little later that its connection is closed, and refuses commands until then. */
	get #isReady(): boolean {
		const { client } = this;
		return client.status === 'ready' && (isCluster(client) || client.stream.writable);
	}

	#call(
		client: Redis | Cluster,
		known: Set<RedisScript>,
		script: RedisScript,
		keys: readonly string[],
		args: ScriptArgs,
	): Promise<unknown> {
		if (known.has(script)) return client.evalsha(script.sha, keys.length, ...keys, ...args);
		// Later commands on the same connection find it there.
		known.add(script);
		return client.eval(script.lua, keys.length, ...keys, ...args);
	}

	#startWaiting(): void {
		if (this.#triedKey !== undefined) return void this.#tryPermissions(this.#triedKey);
		// In the order of the calls: one that is repeated has begun to wait after later ones.
		for (const pending of this.#pending) {
			if (!this.#held.has(pending.slot) && this.#waiting.delete(pending)) pending.start();
		}
	}

	/**
	 * Repeats a command that was not carried out once none of its slot is in flight: those may have to be repeated, too,
	 * and what is called later must not overtake them.
	 */
	#repeat(pending: Pending, { message }: Error): void {
		if (message.startsWith('NOSCRIPT')) this.#loaded.delete(pending.server ?? '');
		if (!this.#held.has(pending.slot)) {
			let inFlight = 0;
			for (const other of this.#pending) if (other.isInFlight && other.slot === pending.slot) inFlight++;
			this.#held.set(pending.slot, inFlight);
		}
		this.#noteReply(pending);
		pending.since = systemClock.monotonic();
		this.#waiting.add(pending);
		this.#land(pending);
	}

	/** Notes that a command is no longer in flight; with the last of a slot, those that wait for it are sent. */
	#land(pending: Pending): void {
		const inFlight = this.#held.get(pending.slot);
		const isLanding = pending.isInFlight;
		pending.isInFlight = false;
		if (inFlight === undefined || !isLanding) return;
		if (inFlight > 1) return void this.#held.set(pending.slot, inFlight - 1);
		this.#held.delete(pending.slot);
		if (this.#isReady) this.#startWaiting();
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
		this.#stopWatch = deadline(delayMs, () => setImmediate(() => this.#watch()));
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
				this.#land(pending);
			}
		}
		if (next < Number.POSITIVE_INFINITY) this.#watchAfter(next);
	}

	#replied(pending: Pending): void {
		this.#pending.delete(pending);
		this.#noteReply(pending);
	}

	#noteReply({ server }: Pending): void {
		if (server !== undefined) this.#repliedAt.set(server, systemClock.monotonic());
	}

	#slotOf(key: string): number {
		return isCluster(this.client) ? slotOf(key) : 0;
	}

	/** Returns the server of a slot, as the cluster names it; `''` for a standalone server. */
	#serverOf(slot: number): string {
		return isCluster(this.client) ? (this.client.slots[slot]?.[0] ?? '') : '';
	}

	/** Each node of a cluster has its own script cache. */
	#scriptsAt(key: string): Set<RedisScript> {
		const server = this.#serverOf(this.#slotOf(key));
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

/** Errors of a script that is not there, and of one of ours that came before what it follows: nothing was done. */
function isNotRun(error: unknown): error is Error {
	return isReply(error) && /^(NOSCRIPT|EARLY)\b/.test(error.message);
}

function isReply(error: unknown): error is Error {
	return error instanceof Error && error.name === 'ReplyError';
}

function closed(): SessionManagerError {
	return new SessionManagerError('closed', 'The manager is closed.');
}
