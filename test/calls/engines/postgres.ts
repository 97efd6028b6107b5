import { PostgresHouse } from '../../history/postgres-house.ts';
import { drainNode, hangNode } from '../faults.ts';
import { type Engine, history } from './engine.ts';

/** Three nodes on a PostgreSQL, each with a way to it of its own. */
export const postgres: Engine = async (makeNode) => {
	const house = await PostgresHouse.open(undefined, (connection) => {
		const { postgres: url } = connection as { postgres: string };
		const options = { history, durability: 'strict' };
		return makeNode({
			module: '@holdfast/session-manager-postgres',
			streams: { name: 'PostgresStreamSessionManager', arguments: [url, options] },
			info: { name: 'PostgresInfoSessionManager', arguments: [url, options] },
		});
	});
	return {
		nodes: house.nodes,
		faults: (long) => [
			[7, (random) => house.fault(random)],
			[1.5, drainNode(house.nodes)],
			[1, hangNode(house.nodes, long)],
		],
		[Symbol.asyncDispose]: () => house[Symbol.asyncDispose](),
	};
};
