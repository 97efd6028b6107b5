import type { MaybePromise } from '@holdfast/session-manager';
import type { NodeContext } from '../node/node-context.js';
import type { LiveServer } from './live-server.js';

/** Live servers that one look for something to evict may pass over, so that it stays cheap when most are busy. */
const MAX_LOOKS = 64;

/** The live servers of a node: a bounded number; past it, the least recently used idle ones are evicted. */
export class LiveServerPool implements Iterable<LiveServer> {
	/** Called to evict the live server of a session; set once. */
	onevict: ((sessionId: string) => MaybePromise<unknown>) | undefined;
	readonly #context: NodeContext;
	readonly #max: number;
	/** Least recently used first. */
	readonly #servers = new Set<LiveServer>();

	constructor(context: NodeContext, max: number) {
		this.#context = context;
		this.#max = max;
	}

	get size(): number {
		return this.#servers.size;
	}

	[Symbol.iterator](): Iterator<LiveServer> {
		return this.#servers.values();
	}

	add(server: LiveServer): void {
		this.#servers.add(server);
		this.trim();
	}

	delete(server: LiveServer): void {
		this.#servers.delete(server);
	}

	/** The live server was used now. */
	touch(server: LiveServer): void {
		if (this.#servers.delete(server)) this.#servers.add(server);
	}

	/** Evicts idle live servers until the bound holds. */
	trim(): void {
		let excess = this.#servers.size - this.#max;
		let looks = MAX_LOOKS;
		for (const server of this.#servers) {
			if (excess <= 0 || looks-- === 0) return;
			if (server.busy) {
				// What runs is in use; behind the idle ones it does not hide them from the next look.
				this.touch(server);
				continue;
			}
			excess--;
			const { sessionId } = server;
			if (sessionId !== undefined) this.#context.background(() => this.onevict?.(sessionId));
		}
	}
}
