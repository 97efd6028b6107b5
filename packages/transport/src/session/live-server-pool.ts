import type { MaybePromise } from '@holdfast/session-manager';
import type { NodeContext } from '../node/node-context.js';
import type { LiveServer } from './live-server.js';

/** How many busy live servers one trim may pass over, so that it stays cheap when most are busy. */
const MAX_SCANNED = 64;

/** The live servers of a node. Their number is bounded: past it, the least recently used idle ones are evicted. */
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

	/** How many live servers there are. */
	get size(): number {
		return this.#servers.size;
	}

	[Symbol.iterator](): Iterator<LiveServer> {
		return this.#servers.values();
	}

	/** Adds a live server as the most recently used, and evicts others where there are too many. */
	add(server: LiveServer): void {
		this.#servers.add(server);
		this.trim();
	}

	/** Removes a live server without freeing it. */
	delete(server: LiveServer): void {
		this.#servers.delete(server);
	}

	/** Makes a live server the most recently used. */
	touch(server: LiveServer): void {
		if (this.#servers.delete(server)) this.#servers.add(server);
	}

	/** Evicts idle live servers until the bound holds, or too many of those that it passed are busy. */
	trim(): void {
		let excess = this.#servers.size - this.#max;
		let scansLeft = MAX_SCANNED;
		for (const server of this.#servers) {
			if (excess <= 0 || scansLeft-- === 0) return;
			if (server.busy) {
				// A busy server is in use. Behind the idle ones it does not slow the next trim down.
				this.touch(server);
				continue;
			}
			excess--;
			const { sessionId } = server;
			if (sessionId !== undefined) this.#context.background(() => this.onevict?.(sessionId));
		}
	}
}
