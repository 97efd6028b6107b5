import { describe } from 'vitest';
import { startStandalone } from '../../../test/support/redis/redis-topology.ts';
import { describeContractOn } from './contract-on.ts';

describe('on standalone', () => describeContractOn('standalone', startStandalone));
