import { setTimeout as pause } from 'node:timers/promises';
import { type Observer, ServerTransport } from '@holdfast/transport';
import { UnreachableError } from './exit.js';
import type { Store } from './store/open-store.js';
import { shownText, type Terminal } from './terminal.js';

/** How long nodes have to answer the one that joins, in milliseconds: each says every second that it is there. */
const JOIN_MS = 2_500;
/** How often it is looked whether all is heard, in milliseconds. */
const LOOK_MS = 25;
/** How long a node goes on after it ended a session: only then the streams are deleted, in milliseconds. */
const LINGER_MS = 700;

/**
 * A node that serves nobody. It joins the others on the bus, so that what an operator does to a session through it
 * happens on every node, exactly as if one of them had done it.
 */
export class OperatorNode extends ServerTransport {
	#lingers = false;

	/** Errors go to `terminal`; without one, whoever makes the node finds out what is wrong. */
	constructor({ info, streams }: Store, terminal?: Terminal, observe?: Observer | readonly Observer[]) {
		super(
			() => {
				throw new Error('An operator makes no server.');
			},
			{
				sessionManager: { info, streams },
				onerror: (error) => terminal?.note(`holdfast: ${shownText(error.message)}\n`),
				...(observe !== undefined && { observe }),
			},
		);
		// It serves nobody, so nobody needs to find it in the list of nodes.
		void this.host.registry.close();
	}

	/**
	 * Joins the bus. Resolves once this node hears itself, and each of `nodeIds` where they are given; with `false` where
	 * it does not hear itself in time. Rejects when the store is unavailable.
	 */
	async join(nodeIds: readonly string[] = []): Promise<boolean> {
		const { bus, monitor, context } = this.host;
		const end = context.clock.monotonic() + JOIN_MS;
		const left = () => end - context.clock.monotonic();
		const listening = Promise.resolve(bus.listen()).then(() => true);
		if (!(await Promise.race([listening, pause(JOIN_MS, false)]))) return false;
		while (left() > 0 && !(monitor.isCurrent && nodeIds.every((id) => this.hears(id)))) await pause(LOOK_MS);
		return monitor.isCurrent;
	}

	/** Whether a node was heard: one that hangs is not, though the store knows it. */
	hears(nodeId: string): boolean {
		return this.host.monitor.isHeard(nodeId);
	}

	/** Joins, does `work`, and leaves once everything that it began has ended. */
	async act<T>(work: () => Promise<T>): Promise<T> {
		try {
			if (!(await this.join()))
				throw new UnreachableError('The nodes do not hear each other through the store: see holdfast doctor.');
			this.#lingers = true;
			return await work();
		} finally {
			await this.close();
		}
	}

	override async close(): Promise<void> {
		if (this.#lingers) await pause(LINGER_MS);
		this.#lingers = false;
		await super.close();
	}

	protected override isOurs(): boolean {
		return false;
	}

	protected override examine(): { readonly sessionId: undefined } {
		return { sessionId: undefined };
	}

	protected override route(): void {}
}
