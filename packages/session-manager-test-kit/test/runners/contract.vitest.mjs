import { describeContract } from '@holdfast/session-manager-test-kit/vitest';
import { factory } from './factory.mjs';

describeContract(factory);
