import { randomUUID } from 'node:crypto';
import { RedisInfoSessionManager, RedisStreamSessionManager } from '@holdfast/session-manager-redis';
import type { Ability, Backend } from '@holdfast/session-manager-test-kit';
import { describeContract } from '@holdfast/session-manager-test-kit/vitest';
import { afterAll, beforeAll } from 'vitest';
import type { RedisSettings } from '../../../test/support/redis/redis-server.ts';
import type { RedisTopology } from '../../../test/support/redis/redis-topology.ts';
import { NodeNetwork } from './support/node-network.ts';

const abilities: readonly Ability[] = [
	...(['streams', 'info', 'keepsEnded', 'capacity', 'makesRoom', 'registry'] as const),
	...(['kinds', 'history', 'limits'] as const),
	...(['crossNode', 'partition', 'outages', 'durable', 'dataLoss'] as const),
];

/**
 * Runs the contracts of both managers on one topology. Each is a file of its own, so that they can run at the same
 * time.
 */
export function describeContractOn(
	name: RedisTopology['name'],
	start: (settings: RedisSettings) => Promise<RedisTopology>,
): void {
	let redis: RedisTopology;
	beforeAll(async () => {
		redis = await start({ appendonly: 'yes' });
	});
	afterAll(() => redis?.dispose());

	describeContract({
		// The log of everyone is on another server of a cluster than that of a session.
		abilities: name === 'cluster' ? abilities : [...abilities, 'oneOrder'],
		async createPeers(count, limits) {
			const keyPrefix = `${randomUUID()}:`;
			const networks = await Promise.all(Array.from({ length: count }, () => NodeNetwork.to(redis)));
			const peers = networks.map((network) => {
				const client = network.connect();
				return {
					streams: new RedisStreamSessionManager(client, { ...limits, keyPrefix }),
					info: new RedisInfoSessionManager(client, { ...limits, keyPrefix }),
				};
			});
			const managers = peers.flatMap(({ streams, info }) => [streams, info]);
			let closing: Promise<unknown> | undefined;
			const close = async () => {
				await Promise.all(managers.map((manager) => manager.close()));
				closing ??= Promise.all(networks.map((network) => network.dispose()));
				await closing;
			};
			return { peers, backend: backendOf(redis, networks), close };
		},
	});
}

function backendOf(redis: RedisTopology, networks: readonly NodeNetwork[]): Required<Backend> {
	return {
		cutOff: (index) => networks[index]?.cut(),
		rejoin: (index) => networks[index]?.mend(),
		fail() {
			for (const server of redis.servers) server.pause();
		},
		heal() {
			for (const server of redis.servers) server.resume();
		},
		restart: () => redis.restart(),
		loseData: () => redis.flush(),
	};
}
