import { describe } from 'vitest';
import { startCluster } from '../../../test/support/redis/redis-topology.ts';
import { describeContractOn } from './contract-on.ts';

describe('on cluster', () => describeContractOn('cluster', startCluster));
