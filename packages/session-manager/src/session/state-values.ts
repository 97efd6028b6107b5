import { Buffer } from 'node:buffer';
import type { InfoSessionManager } from '../contract/info-session-manager.js';
import { SessionManagerError } from '../contract/session-manager-error.js';
import { decodeStateValue, encodeStateValue, type StateValue } from './state-value.js';

/** Writers that compete for one key try so often before they give up. */
const MAX_ATTEMPTS = 100;
/** The longest that a writer who lost waits before it tries again, in milliseconds. */
const MAX_BACKOFF_MS = 50;
const MAX_KEY_BYTES = 1024;
const MAX_VALUE_BYTES = 1024 * 1024;
const RESERVED_KEYS: ReadonlySet<string> = new Set(['__meta__', '__metadata__', 'metadata', 'meta']);

/** Typed values under keys, safe under concurrent nodes: what `session.state` stands on. */
export class StateValues {
	readonly #info: InfoSessionManager;
	readonly #id: string;
	/** The last update of each key that is under way here: they take turns, so that they lose only to other nodes. */
	readonly #turns = new Map<string, Promise<void>>();
	/** What is being computed here, so that it is computed once. */
	readonly #computing = new Map<string, Promise<StateValue>>();

	constructor(info: InfoSessionManager, sessionId: string) {
		this.#info = info;
		this.#id = sessionId;
	}

	/** The value of `key`, of the type that was written; `undefined` when there is none. */
	async get(key: string): Promise<StateValue | undefined> {
		checkKey(key);
		const stored = await this.#info.readState(this.#id, key);
		return stored && decodeStateValue(stored.value);
	}

	/** Whether `key` has a value. */
	async has(key: string): Promise<boolean> {
		checkKey(key);
		return (await this.#info.readState(this.#id, key)) !== undefined;
	}

	/** Sets `key`, whatever it was. */
	async set(key: string, value: StateValue): Promise<void> {
		checkKey(key);
		if (!(await this.#info.writeState(this.#id, key, '*', encode(value)))) throw this.#gone();
	}

	/** Removes `key`. */
	async delete(key: string): Promise<void> {
		checkKey(key);
		if (!(await this.#info.writeState(this.#id, key, '*', undefined))) throw this.#gone();
	}

	/** Removes every key that is there now. */
	async clear(): Promise<void> {
		for (const key of (await this.#info.listState(this.#id)).keys()) await this.delete(key);
	}

	/**
	 * The value of `key`; where there is none, what `compute` makes, which is kept. Those who ask on one node at the same time share
	 * one computation. Of nodes that compute at the same time, the first one's value counts for all.
	 */
	async getOrCompute(key: string, compute: () => StateValue | Promise<StateValue>): Promise<StateValue> {
		checkKey(key);
		const computing = this.#computing.get(key);
		if (computing !== undefined) return computing;
		const computed = this.#getOrCompute(key, compute).finally(() => this.#computing.delete(key));
		this.#computing.set(key, computed);
		return computed;
	}

	/** All keys and values, in no order. */
	async entries(): Promise<[key: string, value: StateValue][]> {
		const stored = await this.#info.listState(this.#id);
		return [...stored].map(([key, { value }]) => [key, decodeStateValue(value)]);
	}

	/**
	 * Sets `key` to what `change` makes of its value, so that no concurrent change is lost. `change` may run several times, and
	 * must not itself update this key; `undefined` from it removes the key. Updates of one key take turns on a node: whoever
	 * waits in `change` makes the others wait. Answers the new value. Throws `conflict` when other nodes were faster 100 times
	 * in a row.
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

	/** Adds `by` (default 1) to a number, or to a bigint where `by` is one; an absent key counts as zero. */
	async increment(key: string, by?: number): Promise<number>;
	async increment(key: string, by: bigint): Promise<bigint>;
	async increment(key: string, by: number | bigint = 1): Promise<number | bigint> {
		return this.update(key, (value) => {
			if (typeof by === 'bigint' && (value === undefined || typeof value === 'bigint')) return (value ?? 0n) + by;
			if (typeof by === 'number' && (value === undefined || typeof value === 'number')) return (value ?? 0) + by;
			throw new TypeError(`State key holds a ${typeof value}; it cannot be incremented by a ${typeof by}.`);
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
		throw new SessionManagerError('conflict', `State key changed ${MAX_ATTEMPTS} times during one update; try again.`);
	}

	#gone(): SessionManagerError {
		return new SessionManagerError('no-such-session', 'The session has ended; its state cannot be changed.');
	}
}

function nothing(): void {}

/** Writers that try again in step with each other would all but one lose again. */
function backoff(attempt: number): Promise<void> {
	const delay = Math.random() * Math.min(2 ** attempt, MAX_BACKOFF_MS);
	return new Promise((resolve) => setTimeout(resolve, delay));
}

function encode(value: StateValue): string {
	const text = encodeStateValue(value);
	// The letter of the type is not the caller's.
	if (Buffer.byteLength(text) - 1 > MAX_VALUE_BYTES) {
		throw new SessionManagerError('limit', `A state value is at most ${MAX_VALUE_BYTES} bytes.`);
	}
	return text;
}

export function checkKey(key: string): void {
	if (typeof key !== 'string' || key === '') {
		throw new SessionManagerError('invalid-key', 'A state key is a string of at least one character.');
	}
	if (RESERVED_KEYS.has(key)) throw new SessionManagerError('invalid-key', `The state key ${key} is reserved.`);
	if (Buffer.byteLength(key) > MAX_KEY_BYTES) {
		throw new SessionManagerError('limit', `A state key is at most ${MAX_KEY_BYTES} bytes.`);
	}
}
