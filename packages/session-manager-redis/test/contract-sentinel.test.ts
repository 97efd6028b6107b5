import { describe } from 'vitest';
import { startSentinel } from '../../../test/support/redis/redis-topology.ts';
import { describeContractOn } from './contract-on.ts';

describe('on sentinel', () => describeContractOn('sentinel', startSentinel));
