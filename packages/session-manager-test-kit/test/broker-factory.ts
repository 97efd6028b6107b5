import { setImmediate } from 'node:timers/promises';
import type { ManagerFactory, StreamLimits } from '@holdfast/session-manager-test-kit';
import { ToyBroker } from './toy-broker.ts';
import { ToyBrokerManager } from './toy-broker-manager.ts';

/**
 * Nodes over a broker in this process; `make` and `broker` put others in the place of {@link ToyBrokerManager} and
 * {@link ToyBroker}.
 */
export function brokered({
	make = (broker: ToyBroker, limits?: StreamLimits) => new ToyBrokerManager(broker, limits),
	makeBroker = () => new ToyBroker(),
} = {}): ManagerFactory {
	return {
		abilities: [
			...(['streams', 'history', 'limits', 'oneOrder'] as const),
			...(['crossNode', 'partition', 'outages', 'durable', 'dataLoss'] as const),
		],
		createPeers(count, limits) {
			const broker = makeBroker();
			const managers = Array.from({ length: count }, () => make(broker, limits));
			const cutOff = (manager: ToyBrokerManager | undefined) => {
				if (manager === undefined) return;
				manager.away = true;
				manager.disconnect();
			};
			const rejoin = async (manager: ToyBrokerManager | undefined) => {
				// What was published until now is missed.
				await setImmediate();
				if (manager === undefined) return;
				manager.away = false;
				manager.reconnect();
			};
			const fail = () => managers.forEach(cutOff);
			const heal = async () => void (await Promise.all(managers.map(rejoin)));
			return {
				peers: managers.map((streams) => ({ streams })),
				backend: {
					cutOff: (index) => cutOff(managers[index]),
					rejoin: (index) => rejoin(managers[index]),
					fail,
					heal,
					restart() {
						fail();
						return heal();
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
