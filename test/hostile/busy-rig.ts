import { InMemoryInfoSessionManager, InMemoryStreamSessionManager } from '@holdfast/session-manager';
import { ManualClock } from '@holdfast/session-manager/testing';
import { expect } from 'vitest';
import { Happening } from '../support/deadline.ts';
import type { Door } from '../support/doors.ts';
import { Rig } from '../support/rig.ts';
import type { Sdk, Tool } from '../support/servers.ts';

const nothing = {
	transport: { sessions: 0, liveServers: 0, requestsInFlight: 0, requestsWaiting: 0, connections: 0, bodyBytes: 0 },
	// What is left are the node's own address and that of every node.
	streams: { streams: 0, listeners: 2, sessions: 0, events: 0 },
	info: { sessions: 0, records: 0, subscriptions: 0, stateValues: 0, leases: 0, bytes: 0 },
	toolsAtWork: 0,
};

/** Polled things are due at once. */
const often = { interval: 5, timeout: 5_000 };

const question = { message: 'A word?', requestedSchema: { type: 'object', properties: { word: { type: 'string' } } } };

/** A node whose tools work until their session is over, and that can tell whether anything is left. */
export class BusyRig {
	readonly rig: Rig;
	readonly #clock: ManualClock;
	readonly #managers: { readonly streams: InMemoryStreamSessionManager; readonly info: InMemoryInfoSessionManager };
	readonly #tools: BusyTools;

	private constructor(
		rig: Rig,
		clock: ManualClock,
		managers: { streams: InMemoryStreamSessionManager; info: InMemoryInfoSessionManager },
		tools: BusyTools,
	) {
		this.rig = rig;
		this.#clock = clock;
		this.#managers = managers;
		this.#tools = tools;
	}

	static async open(door: Door, sdk: Sdk): Promise<BusyRig> {
		const clock = new ManualClock(1_000_000);
		const managers = {
			streams: new InMemoryStreamSessionManager({ clock }),
			info: new InMemoryInfoSessionManager({ clock }),
		};
		const tools = new BusyTools();
		const rig = await Rig.open(door, { sdk, tools: tools.byName, clock, sessionManager: managers, keepAliveMs: 0 });
		return new BusyRig(rig, clock, managers, tools);
	}

	/** Resolves once a tool works in the session. */
	workIn(sessionId: string): Promise<void> {
		return this.#tools.workIn(sessionId).wait();
	}

	/** Lets every session expire. */
	expireAll(): void {
		this.#clock.advance(60 * 60_000);
	}

	/** The node knows that every client has left, though their sessions live on. */
	async expectNoConnection(): Promise<void> {
		const open = () => [this.rig.transport.stats().connections, this.#managers.streams.stats().streams];
		await expect.poll(open, often).toEqual([0, 0]);
	}

	/** Nothing is left of the sessions, which are over, and nothing failed in the background. */
	async expectNothing(): Promise<void> {
		// Calls of a session that ends get a moment for a response of their own.
		this.#clock.advance(1_000);
		const held = () => ({
			transport: this.rig.transport.stats(),
			streams: this.#managers.streams.stats(),
			info: this.#managers.info.stats(),
			toolsAtWork: this.#tools.atWork,
		});
		await expect.poll(held, often).toEqual(nothing);
		expect(this.rig.errors).toEqual([]);
	}
}

/** Tools that work until they are aborted. */
export class BusyTools {
	atWork = 0;
	readonly #begun = new Map<string, Happening>();

	readonly byName: Readonly<Record<string, Tool>> = {
		wait: this.#counted(async ({ signal }) => {
			await new Promise((resolve) => signal.addEventListener('abort', resolve));
			return 'in vain';
		}),
		talk: this.#talk('here'),
		talkOutside: this.#talk('outside'),
		ask: this.#ask('here'),
		askOutside: this.#ask('outside'),
	};

	/** A tool began to work in the session. */
	workIn(sessionId: string): Happening {
		const happening = this.#begun.get(sessionId) ?? new Happening('the work of a tool');
		this.#begun.set(sessionId, happening);
		return happening;
	}

	#talk(route: 'here' | 'outside'): Tool {
		return this.#counted(async (context) => {
			for (let n = 1; !context.signal.aborted; n++) {
				await context[route].log('info', { n });
				if (route === 'here') await context.progress(n);
				await new Promise((resolve) => setImmediate(resolve));
			}
			return 'out of words';
		});
	}

	#ask(route: 'here' | 'outside'): Tool {
		return this.#counted(async (context) => JSON.stringify(await context[route].elicit(question)));
	}

	#counted(tool: Tool): Tool {
		return async (context) => {
			this.atWork++;
			this.workIn(context.session.id).happen();
			try {
				return await tool(context);
			} finally {
				this.atWork--;
			}
		};
	}
}
