import { SessionManagerError } from '../contract/session-manager-error.js';
import type { StateValue } from './state-value.js';
import type { StateValues } from './state-values.js';

/** A schema of valibot, zod, ArkType or any other library that implements Standard Schema 1 (standardschema.dev). */
export interface StateSchema<T> {
	readonly '~standard': {
		readonly version: 1;
		readonly validate: (value: unknown) => StateCheck<T> | Promise<StateCheck<T>>;
		readonly types?: { readonly output: T } | undefined;
	};
}

/** The result of validating a value. */
export type StateCheck<T> =
	| { readonly value: T; readonly issues?: undefined }
	| { readonly issues: readonly StateIssue[] };

/** Why a value is invalid, and where in it. */
export interface StateIssue {
	readonly message: string;
	readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/**
 * One key of a session's state, with a schema that checks every value that is written or read. A schema that transforms
 * is applied when a value is written; its output must match the schema itself. An invalid value throws
 * `SessionManagerError` `invalid-value`, and nothing is written.
 *
 * @example
 * ```ts source="../../test/examples/state-entry.examples.ts#typed"
 * const cart = state.define('cart', v.array(v.string()));
 * await cart.set(['apples']);
 * const items = await cart.get(); // string[] | undefined
 * ```
 */
export class StateEntry<T extends StateValue> {
	readonly #state: StateValues;
	readonly #key: string;
	readonly #schema: StateSchema<T>;

	constructor(state: StateValues, key: string, schema: StateSchema<T>) {
		this.#state = state;
		this.#key = key;
		this.#schema = schema;
	}

	/** Returns the value; `undefined` when there is none. */
	async get(): Promise<T | undefined> {
		return this.#check(await this.#state.get(this.#key));
	}

	/** Returns whether there is a value. */
	has(): Promise<boolean> {
		return this.#state.has(this.#key);
	}

	/** Sets the value unconditionally. */
	async set(value: T): Promise<void> {
		const checked = await this.#check(value);
		if (checked === undefined) throw this.#invalid('a value is required');
		await this.#state.set(this.#key, checked);
	}

	/** Removes the value. */
	delete(): Promise<void> {
		return this.#state.delete(this.#key);
	}

	/**
	 * Changes the value like `SessionState.update`: no concurrent change is lost, and `undefined` removes the value.
	 *
	 * @example
	 * ```ts source="../../test/examples/state-entry.examples.ts#update"
	 * await cart.update((items = []) => [...items, 'pears']);
	 * ```
	 */
	update(change: (value: T | undefined) => T | Promise<T>): Promise<T>;
	update(change: (value: T | undefined) => T | undefined | Promise<T | undefined>): Promise<T | undefined>;
	update(change: (value: T | undefined) => T | undefined | Promise<T | undefined>): Promise<T | undefined> {
		return this.#state.update(this.#key, async (stored) => this.#check(await change(await this.#check(stored))));
	}

	/** Returns the value, or computes and stores it like `SessionState.getOrCompute`. */
	async getOrCompute(compute: () => T | Promise<T>): Promise<T> {
		const computed = async () => {
			const checked = await this.#check(await compute());
			if (checked === undefined) throw this.#invalid('a value is required');
			return checked;
		};
		return (await this.#check(await this.#state.getOrCompute(this.#key, computed))) as T;
	}

	async #check(value: unknown): Promise<T | undefined> {
		if (value === undefined) return undefined;
		const result = await this.#schema['~standard'].validate(value);
		if (result.issues === undefined) return result.value;
		throw this.#invalid(result.issues.map(describe).join('; '));
	}

	#invalid(reason: string): SessionManagerError {
		return new SessionManagerError('invalid-value', `State key ${JSON.stringify(this.#key)}: ${reason}`);
	}
}

function describe({ message, path = [] }: StateIssue): string {
	const keys = path.map((step) => String(typeof step === 'object' ? step.key : step));
	return keys.length === 0 ? message : `${keys.join('.')}: ${message}`;
}
