import { describeContract } from '@holdfast/session-manager-test-kit/node-test';
import { factory } from './factory.mjs';

describeContract(factory);
