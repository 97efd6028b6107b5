import type { MaybePromise } from '../contract/maybe-promise.js';
import type { BoundedWriter } from './bounded-writer.js';

/** A listener of an address. */
export interface Listener {
	readonly writer: BoundedWriter;
	readonly ongap?: (() => MaybePromise<void>) | undefined;
}

const encoder = new TextEncoder();

/**
 * The listeners of a node's addresses. Every listener of an address gets every event sent to it, and a slow one does
 * not delay the others.
 */
export class AddressListeners {
	readonly #listeners = new Map<string, Set<Listener>>();
	readonly #onleave: (address: string) => void;

	/** `onleave` is called for each listener that leaves, or is removed because its client is gone or too slow. */
	constructor(onleave: (address: string) => void = () => {}) {
		this.#onleave = onleave;
	}

	/** Whether no address has a listener. */
	get isEmpty(): boolean {
		return this.#listeners.size === 0;
	}

	/** Yields the listeners of all addresses. */
	*all(): Generator<Listener, void> {
		for (const listeners of this.#listeners.values()) yield* listeners;
	}

	/** Returns the listeners of `address`. */
	of(address: string): Iterable<Listener> {
		return this.#listeners.get(address) ?? [];
	}

	/** Returns whether `address` has listeners. */
	has(address: string): boolean {
		return this.#listeners.has(address);
	}

	/** Adds a listener to `address`. */
	add(address: string, listener: Listener): void {
		this.#listeners.set(address, (this.#listeners.get(address) ?? new Set()).add(listener));
	}

	/** Removes a listener without calling `onleave`. Returns `false` when it was not there. */
	remove(address: string, listener: Listener): boolean {
		const listeners = this.#listeners.get(address);
		if (!listeners?.delete(listener)) return false;
		if (listeners.size === 0) this.#listeners.delete(address);
		return true;
	}

	/** Removes a listener and calls `onleave`. Idempotent. */
	leave(address: string, listener: Listener): void {
		if (this.remove(address, listener)) this.#onleave(address);
	}

	/** Writes an event to every listener of `address`. */
	send(address: string, data: string): void {
		const listeners = this.#listeners.get(address);
		if (listeners === undefined) return;
		const chunk = encoder.encode(data);
		for (const listener of listeners) if (!listener.writer.write(chunk)) this.leave(address, listener);
	}

	/** Closes every listener of `address`. */
	end(address: string): void {
		for (const listener of this.#listeners.get(address) ?? []) {
			listener.writer.end();
			this.leave(address, listener);
		}
	}

	/** Closes every listener. */
	close(): void {
		for (const address of [...this.#listeners.keys()]) this.end(address);
	}
}
