import type { ManagerFactory, StreamLimits } from '@holdfast/session-manager-test-kit';
import { ToyBroker } from './toy-broker.ts';
import { ToyRelayManager } from './toy-relay-manager.ts';

/** Nodes over a broker in this process; `make` and `broker` put others in the place of {@link ToyRelayManager} and {@link ToyBroker}. */
export function relay({
	make = (broker: ToyBroker, limits?: StreamLimits) => new ToyRelayManager(broker, limits),
	makeBroker = () => new ToyBroker(),
} = {}): ManagerFactory {
	return {
		abilities: ['streams', 'history', 'limits', 'oneOrder', 'crossNode', 'outages', 'durable', 'dataLoss'],
		createPeers(count, limits) {
			const broker = makeBroker();
			const managers = Array.from({ length: count }, () => make(broker, limits));
			const fail = () => {
				broker.away = true;
				for (const manager of managers) manager.disconnect();
			};
			const heal = () => {
				broker.away = false;
				for (const manager of managers) manager.reconnect();
			};
			return {
				peers: managers.map((streams) => ({ streams })),
				backend: {
					fail,
					heal,
					restart() {
						fail();
						heal();
					},
					loseData: () => broker.forget(),
				},
				async close() {
					await Promise.all(managers.map((manager) => manager.close()));
				},
			};
		},
	};
}
