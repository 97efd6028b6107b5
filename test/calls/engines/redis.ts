import { setTimeout as sleep } from 'node:timers/promises';
import { House } from '../../history/house.ts';
import { drainNode, type FaultKind, fault, hangNode } from '../faults.ts';
import { type Engine, history } from './engine.ts';

const limits = 'client-output-buffer-limit';

/** Three nodes on a standalone Redis, each with a way to it of its own. */
export const redis: Engine = async (makeNode) => {
	const house = await House.open('standalone', undefined, (connection) => {
		const { redis: address } = connection as { redis: unknown };
		return makeNode({
			module: '@holdfast/session-manager-redis',
			streams: { name: 'RedisStreamSessionManager', arguments: [address, { history }] },
			info: { name: 'RedisInfoSessionManager', arguments: [address] },
		});
	});
	/** Redis cuts subscribers off that have so little to read. */
	const fullBuffers: FaultKind[1] = (_, lengthMs) =>
		fault('small output buffers', async () => {
			await house.configure(limits, 'pubsub 1mb 256kb 1');
			await sleep(lengthMs);
			await house.configure(limits, 'pubsub 32mb 8mb 60');
		});
	return {
		nodes: house.nodes,
		faults: (long) => [
			[6, (random) => house.fault(random)],
			[1.5, drainNode(house.nodes)],
			[1, hangNode(house.nodes, long)],
			[1.5, fullBuffers],
		],
		[Symbol.asyncDispose]: () => house[Symbol.asyncDispose](),
	};
};
