import { Buffer } from 'node:buffer';
import type { InfoSessionManager } from '../contract/info-session-manager.js';
import { SessionManagerError } from '../contract/session-manager-error.js';
import { decodeStateValue, encodeStateValue, type StateValue } from './state-value.js';

/** How many times a writer tries when it competes with others for a key. */
const MAX_ATTEMPTS = 100;
/** The longest delay before a writer tries again, in milliseconds. */
const MAX_BACKOFF_MS = 50;
const MAX_KEY_BYTES = 1024;
const MAX_VALUE_BYTES = 1024 * 1024;
const RESERVED_KEYS: ReadonlySet<string> = new Set(['__meta__', '__metadata__', 'metadata', 'meta']);

/** Typed values under keys, safe under concurrent nodes: the base of `session.state`. */
export class StateValues {
	readonly #info: InfoSessionManager;
	readonly #id: string;
	/**
	 * The last pending update of each key on this node. Updates of a key run one after another, so they lose only to
	 * other nodes.
	 */
	readonly #turns = new Map<string, Promise<void>>();
	/** Pending computations on this node, so that each runs once. */
	readonly #computing = new Map<string, Promise<StateValue>>();

	constructor(info: InfoSessionManager, sessionId: string) {
		this.#info = info;
		this.#id = sessionId;
	}

	/** Returns the value of `key`, of the type that was written; `undefined` when there is none. */
	async get(key: string): Promise<StateValue | undefined> {
		checkKey(key);
		const stored = await this.#info.readState(this.#id, key);
		return stored && decodeStateValue(stored.value);
	}

	/** Returns whether `key` has a value. */
	async has(key: string): Promise<boolean> {
		checkKey(key);
		return (await this.#info.readState(this.#id, key)) !== undefined;
	}

	/** Sets `key` unconditionally. */
	async set(key: string, value: StateValue): Promise<void> {
		checkKey(key);
		if (!(await this.#info.writeState(this.#id, key, '*', encode(value)))) throw this.#gone();
	}

	/** Removes `key`. */
	async delete(key: string): Promise<void> {
		checkKey(key);
		if (!(await this.#info.writeState(this.#id, key, '*', undefined))) throw this.#gone();
	}

	/** Removes every key that exists now. */
	async clear(): Promise<void> {
		for (const key of (await this.#info.listState(this.#id)).keys()) await this.delete(key);
	}

	/**
	 * Returns the value of `key`; if there is none, stores and returns what `compute` returns. Concurrent callers on one
	 * node share one computation. When several nodes compute at the same time, all of them get the value of the first.
	 *
	 * @example
	 * ```ts source="../../test/examples/session-state.examples.ts#getOrCompute"
	 * const report = await session.state.getOrCompute('report', () => fetchReport()); // fetched once for all nodes
	 * ```
	 */
	async getOrCompute(key: string, compute: () => StateValue | Promise<StateValue>): Promise<StateValue> {
		checkKey(key);
		const computing = this.#computing.get(key);
		if (computing !== undefined) return computing;
		const computed = this.#getOrCompute(key, compute).finally(() => this.#computing.delete(key));
		this.#computing.set(key, computed);
		return computed;
	}

	/** Returns all keys and values, in no particular order. */
	async entries(): Promise<[key: string, value: StateValue][]> {
		const stored = await this.#info.listState(this.#id);
		return [...stored].map(([key, { value }]) => [key, decodeStateValue(value)]);
	}

	/**
	 * Replaces the value of `key` with what `change` returns for it, so that no concurrent change is lost. `change` may
	 * run several times and must not update the same key; `undefined` removes the key. Updates of one key run one after
	 * another on a node, so a slow `change` delays the others. Returns the new value. Throws `conflict` when other nodes
	 * won 100 times in a row.
	 *
	 * @example
	 * ```ts source="../../test/examples/session-state.examples.ts#update"
	 * await session.state.update('cart', (cart) => [...(Array.isArray(cart) ? cart : []), 'apples']);
	 * ```
	 */
	async update<T extends StateValue | undefined>(
		key: string,
		change: (value: StateValue | undefined) => T | Promise<T>,
	): Promise<T> {
		checkKey(key);
		const before = this.#turns.get(key);
		const work = () => this.#update(key, change);
		const updated = before === undefined ? work() : before.then(work);
		const turn = updated.then(nothing, nothing);
		this.#turns.set(key, turn);
		try {
			return await updated;
		} finally {
			if (this.#turns.get(key) === turn) this.#turns.delete(key);
		}
	}

	/**
	 * Adds `by` to a number, or to a bigint when `by` is a bigint, and returns the sum; a missing key counts as zero.
	 *
	 * @default 1
	 *
	 * @example
	 * ```ts source="../../test/examples/session-state.examples.ts#increment"
	 * const calls = await session.state.increment('calls');
	 * const points = await session.state.increment('points', 10n);
	 * ```
	 */
	async increment(key: string, by?: number): Promise<number>;
	async increment(key: string, by: bigint): Promise<bigint>;
	async increment(key: string, by: number | bigint = 1): Promise<number | bigint> {
		return this.update(key, (value) => {
			if (typeof by === 'bigint' && (value === undefined || typeof value === 'bigint')) return (value ?? 0n) + by;
			if (typeof by === 'number' && (value === undefined || typeof value === 'number')) return (value ?? 0) + by;
			throw new TypeError(`A state value of type ${typeof value} cannot be incremented by a ${typeof by}.`);
		});
	}

	async #getOrCompute(key: string, compute: () => StateValue | Promise<StateValue>): Promise<StateValue> {
		const known = await this.get(key);
		if (known !== undefined) return known;
		const computed = await compute();
		return this.update(key, (value) => (value === undefined ? computed : value));
	}

	async #update<T extends StateValue | undefined>(
		key: string,
		change: (value: StateValue | undefined) => T | Promise<T>,
	): Promise<T> {
		for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
			const stored = await this.#info.readState(this.#id, key);
			const next = await change(stored && decodeStateValue(stored.value));
			const text = next === undefined ? undefined : encode(next);
			if (await this.#info.writeState(this.#id, key, stored?.version, text)) return next;
			if ((await this.#info.read(this.#id)) === undefined) throw this.#gone();
			await backoff(attempt);
		}
		throw new SessionManagerError(
			'conflict',
			`Other nodes changed the state key ${MAX_ATTEMPTS} times during one update; try again.`,
		);
	}

	#gone(): SessionManagerError {
		return new SessionManagerError('no-such-session', 'The session has ended; its state cannot be changed.');
	}
}

function nothing(): void {}

/** Writers that retry in step would collide again, so the delay is random. */
function backoff(attempt: number): Promise<void> {
	const delay = Math.random() * Math.min(2 ** attempt, MAX_BACKOFF_MS);
	return new Promise((resolve) => setTimeout(resolve, delay));
}

function encode(value: StateValue): string {
	const text = encodeStateValue(value);
	// The letter of the type does not count.
	if (Buffer.byteLength(text) - 1 > MAX_VALUE_BYTES) {
		throw new SessionManagerError('limit', `A state value must have at most ${MAX_VALUE_BYTES} bytes.`);
	}
	return text;
}

/** Throws `SessionManagerError` `invalid-key` or `limit` for a key that cannot be used. */
export function checkKey(key: string): void {
	if (typeof key !== 'string' || key === '') {
		throw new SessionManagerError('invalid-key', 'A state key must be a string of at least one character.');
	}
	// Encoded as UTF-8, all lone surrogates are the same.
	if (/\p{Surrogate}/u.test(key)) {
		throw new SessionManagerError('invalid-key', 'A state key must be well-formed Unicode, without lone surrogates.');
	}
	if (RESERVED_KEYS.has(key))
		throw new SessionManagerError('invalid-key', `The state key ${key} is reserved; use another.`);
	if (Buffer.byteLength(key) > MAX_KEY_BYTES) {
		throw new SessionManagerError('limit', `A state key must have at most ${MAX_KEY_BYTES} bytes.`);
	}
}
