import { describe } from 'vitest';
import { attackedFlags, describeAttacks } from './support/attacks.ts';
import { useCluster, useSingleNode } from './support/cluster.ts';

describe('one node, in memory', () => {
	describeAttacks(useSingleNode(attackedFlags));
});

describe('three nodes on Redis', () => {
	const cluster = useCluster({ flags: attackedFlags });
	describeAttacks(() => cluster.nodes);
});
