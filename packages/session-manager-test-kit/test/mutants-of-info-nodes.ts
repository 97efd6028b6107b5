import { setImmediate } from 'node:timers/promises';
import { InMemoryInfoSessionManager } from '@holdfast/session-manager';
import type { SessionRecord, StoredStateValue } from '@holdfast/session-manager/custom';
import { InfoNode, infoNodes, ToyStore } from './info-node.ts';
import type { Mutant } from './mutant.ts';

class KnowsAbsence extends InfoNode {
	override read(id: string) {
		return this.away ? undefined : super.read(id);
	}
}

class CachingRecords extends InfoNode {
	readonly #records = new Map<string, SessionRecord>();

	override create(record: SessionRecord) {
		this.#records.set(record.id, record);
		return super.create(record);
	}

	override read(id: string) {
		return this.#records.get(id) ?? super.read(id);
	}
}

class CachingState extends InfoNode {
	readonly #state = new Map<string, StoredStateValue | undefined>();

	override readState(id: string, key: string) {
		const place = `${id} ${key}`;
		if (!this.#state.has(place)) this.#state.set(place, this.inner.readState(id, key));
		return this.#state.get(place);
	}

	override writeState(id: string, key: string, expected: string | undefined, value: string | undefined) {
		this.#state.delete(`${id} ${key}`);
		return super.writeState(id, key, expected, value);
	}
}

class ClosingTheStore extends InfoNode {
	override close() {
		this.store.sessions.close();
	}
}

class SubscriptionsInMemory extends ToyStore {
	override restart() {
		for (const { id } of this.sessions.scan(undefined, Number.POSITIVE_INFINITY).records) {
			for (const uri of this.sessions.getSubscribedUris(id)) this.sessions.removeSubscription(id, uri);
		}
	}
}

class ForgettingLeases extends ToyStore {
	leases = new InMemoryInfoSessionManager();

	override restart() {
		this.leases.close();
		this.leases = new InMemoryInfoSessionManager();
	}
}

class LeasesInMemory extends InfoNode {
	override acquireLease(name: string, holder: string, ttlMs: number) {
		const { store } = this;
		if (!(store instanceof ForgettingLeases)) return super.acquireLease(name, holder, ttlMs);
		return store.leases.acquireLease(name, holder, ttlMs);
	}
}

/** Nodes of which those that are asked for the first time at the same time make the tables at the same time. */
class RacingTables extends InfoNode {
	static readonly #making = new WeakMap<ToyStore, number>();
	#ready = false;

	override async create(record: SessionRecord) {
		if (!this.#ready) {
			const making = RacingTables.#making.get(this.store) ?? 0;
			RacingTables.#making.set(this.store, making + 1);
			await setImmediate();
			if (making > 0) throw new Error('duplicate key value violates unique constraint');
			this.#ready = true;
		}
		return super.create(record);
	}
}

/** Sessions on several nodes, and while their store is away. */
export const mutantsOfInfoNodes: readonly Mutant[] = [
	{
		defect: 'each node has a store of its own',
		fails: 'info/create',
		factory: infoNodes({ make: () => new InfoNode(new ToyStore()) }),
	},
	{
		defect: 'nodes that start together break each other’s tables',
		fails: 'info/create-race',
		factory: infoNodes({ make: (store) => new RacingTables(store) }),
	},
	{
		defect: 'a session that cannot be read is taken for unknown',
		fails: 'info/outage',
		factory: infoNodes({ make: (store) => new KnowsAbsence(store) }),
	},
	{
		defect: 'a node that is cut off answers from its cache',
		fails: 'info/cut-off',
		factory: infoNodes({ make: (store) => new CachingRecords(store) }),
	},
	{
		defect: 'a node still serves what the store has lost',
		fails: 'info/data-loss',
		factory: infoNodes({ make: (store) => new CachingRecords(store) }),
	},
	{
		defect: 'subscriptions are kept in memory only',
		fails: 'info/restart',
		factory: infoNodes({ makeStore: () => new SubscriptionsInMemory() }),
	},
	{
		defect: 'leases are kept in memory only',
		fails: 'info/lease-restart',
		factory: infoNodes({ make: (store) => new LeasesInMemory(store), makeStore: () => new ForgettingLeases() }),
	},
	{
		defect: 'each node caches state',
		fails: 'state/read',
		factory: infoNodes({ make: (store) => new CachingState(store) }),
	},
	{
		defect: 'a node that closes closes the store for all',
		fails: 'info/close',
		factory: infoNodes({ make: (store) => new ClosingTheStore(store) }),
	},
];
