import type { Cluster } from './cluster.ts';

/** Ways in which Redis can be away, and come back with its data. */
export const outages = [
	{
		how: 'is frozen',
		leave: async ({ redis }: Cluster) => redis.pause(),
		comeBack: async ({ redis }: Cluster) => redis.resume(),
	},
	{
		how: 'was killed and starts again with its data',
		leave: ({ redis }: Cluster) => redis.kill(),
		comeBack: ({ redis }: Cluster) => redis.start(),
	},
];
