import type { MaybePromise } from '../contract/maybe-promise.js';
import type { BoundedWriter } from './bounded-writer.js';

/** Someone who listens on an address. */
export interface Listener {
	readonly writer: BoundedWriter;
	readonly ongap?: (() => MaybePromise<void>) | undefined;
}

const encoder = new TextEncoder();

/** Those who listen on the addresses of a node: each hears everything that is told there, and none holds up another. */
export class AddressListeners {
	readonly #listeners = new Map<string, Set<Listener>>();
	readonly #onleave: (address: string) => void;

	/** `onleave` hears of each listener that has left, or was left because its client is gone or too slow. */
	constructor(onleave: (address: string) => void = () => {}) {
		this.#onleave = onleave;
	}

	/** All of them, on whichever address. */
	*all(): Generator<Listener, void> {
		for (const listeners of this.#listeners.values()) yield* listeners;
	}

	has(address: string): boolean {
		return this.#listeners.has(address);
	}

	add(address: string, listener: Listener): void {
		this.#listeners.set(address, (this.#listeners.get(address) ?? new Set()).add(listener));
	}

	/** Takes a listener out without a word; `false` when it was not there. */
	remove(address: string, listener: Listener): boolean {
		const listeners = this.#listeners.get(address);
		if (!listeners?.delete(listener)) return false;
		if (listeners.size === 0) this.#listeners.delete(address);
		return true;
	}

	/** Takes a listener out. Idempotent. */
	leave(address: string, listener: Listener): void {
		if (this.remove(address, listener)) this.#onleave(address);
	}

	/** Hands an event to everyone on `address`. */
	tell(address: string, data: string): void {
		const listeners = this.#listeners.get(address);
		if (listeners === undefined) return;
		const chunk = encoder.encode(data);
		for (const listener of listeners) if (!listener.writer.write(chunk)) this.leave(address, listener);
	}

	/** Closes everyone on `address`. */
	end(address: string): void {
		for (const listener of this.#listeners.get(address) ?? []) {
			listener.writer.end();
			this.leave(address, listener);
		}
	}

	/** Closes everyone. */
	close(): void {
		for (const address of [...this.#listeners.keys()]) this.end(address);
	}
}
