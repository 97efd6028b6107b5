import type { RelayStreamSessionManager } from '@holdfast/session-manager';
import type { ManagerFactory, StreamLimits } from '@holdfast/session-manager-test-kit';
import { ToyBroker } from './toy-broker.ts';
import { ToyRelayManager } from './toy-relay-manager.ts';

/** Nodes over a broker in this process; `make` puts other managers in the place of {@link ToyRelayManager}. */
export function relay(
	make = (broker: ToyBroker, limits?: StreamLimits): RelayStreamSessionManager => new ToyRelayManager(broker, limits),
): ManagerFactory {
	return {
		abilities: ['streams', 'history', 'limits', 'oneOrder', 'crossNode'],
		createPeers(count, limits) {
			const broker = new ToyBroker();
			const managers = Array.from({ length: count }, () => make(broker, limits));
			return {
				peers: managers.map((streams) => ({ streams })),
				async close() {
					for (const streams of managers) await streams.close();
				},
			};
		},
	};
}
