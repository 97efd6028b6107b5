import { useCluster, usePostgres } from './support/cluster.ts';
import { describeOutages } from './support/outage-cases.ts';

usePostgres();

describeOutages('PostgreSQL', useCluster(), [
	{
		how: 'is frozen',
		leave: async ({ postgres }) => postgres.pause(),
		comeBack: async ({ postgres }) => postgres.resume(),
	},
	{
		how: 'was stopped and starts again',
		leave: ({ postgres }) => postgres.stop(),
		comeBack: ({ postgres }) => postgres.start(),
	},
]);
