import { InMemoryInfoSessionManager, SessionManagerError } from '@holdfast/session-manager';
import type { ManagerFactory, PeerLimits } from '@holdfast/session-manager-test-kit';
import { InfoWrapper } from './info-wrapper.ts';

/** A store in this process that several nodes share. */
export class ToyStore {
	readonly #limits: PeerLimits | undefined;
	sessions: InMemoryInfoSessionManager;

	constructor(limits?: PeerLimits) {
		this.#limits = limits;
		this.sessions = new InMemoryInfoSessionManager(limits);
	}

	/** Begins again with the data that it had. */
	restart(): void {}

	loseData(): void {
		this.sessions.close();
		this.sessions = new InMemoryInfoSessionManager(this.#limits);
	}
}

/** A healthy manager on one of several nodes. */
export class InfoNode extends InfoWrapper {
	/** Whether the store cannot be reached from here. */
	away = false;
	protected readonly store: ToyStore;

	constructor(store: ToyStore) {
		super();
		this.store = store;
	}

	protected override get inner(): InMemoryInfoSessionManager {
		if (this.away) throw new SessionManagerError('unavailable', 'The store is away.');
		return this.store.sessions;
	}

	override close(): void {}
}

/**
 * Info managers of nodes that share a store; `make` and `makeStore` put others in the place of {@link InfoNode} and
 * {@link ToyStore}.
 */
export function infoNodes({
	make = (store: ToyStore): InfoNode => new InfoNode(store),
	makeStore = (limits?: PeerLimits) => new ToyStore(limits),
} = {}): ManagerFactory {
	return {
		abilities: [
			'info',
			'keepsEnded',
			'capacity',
			'makesRoom',
			'registry',
			'kinds',
			'crossNode',
			'partition',
			'outages',
			'durable',
			'dataLoss',
		],
		createPeers(count, limits) {
			const store = makeStore(limits);
			const nodes = Array.from({ length: count }, () => make(store));
			const setAway = (away: boolean, of = nodes) => {
				for (const node of of) node.away = away;
			};
			return {
				peers: nodes.map((info) => ({ info })),
				backend: {
					cutOff: (index) => setAway(true, nodes.slice(index, index + 1)),
					rejoin: (index) => setAway(false, nodes.slice(index, index + 1)),
					fail: () => setAway(true),
					heal: () => setAway(false),
					restart: () => store.restart(),
					loseData: () => store.loseData(),
				},
				close: () => store.sessions.close(),
			};
		},
	};
}
