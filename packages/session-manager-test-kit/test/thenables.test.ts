import { InMemoryInfoSessionManager, InMemoryStreamSessionManager } from '@holdfast/session-manager';
import { describeContract } from '@holdfast/session-manager-test-kit/vitest';
import { describe } from 'vitest';
import { lazily, variantOf } from '../../../test/support/thenables.ts';
import { inMemory } from './in-memory-factory.ts';

describe('managers whose methods return queries that start with then', () =>
	describeContract(
		inMemory((limits) => ({
			streams: variantOf(new InMemoryStreamSessionManager(limits), (_method, work) => lazily(work)),
			info: variantOf(new InMemoryInfoSessionManager(limits), (_method, work) => lazily(work)),
		})),
	));
