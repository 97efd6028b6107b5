import type { Cluster } from './cluster.ts';

/** A way in which a store can be away, and come back with its data. */
export interface Outage {
	readonly how: string;
	leave(cluster: Cluster): Promise<void>;
	comeBack(cluster: Cluster): Promise<void>;
}

/** Ways of Redis. */
export const outages: readonly Outage[] = [
	{
		how: 'is frozen',
		leave: async ({ redis }) => redis.pause(),
		comeBack: async ({ redis }) => redis.resume(),
	},
	{
		how: 'was killed and starts again with its data',
		leave: ({ redis }) => redis.kill(),
		comeBack: ({ redis }) => redis.start(),
	},
];
