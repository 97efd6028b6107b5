import { describeContract } from '@holdfast/session-manager-test-kit/vitest';
import { describe } from 'vitest';
import { inMemory } from './in-memory-factory.ts';
import { MinimalStreamSessionManager } from './minimal-stream-session-manager.ts';

describe('a manager of the four bare verbs', () =>
	describeContract(inMemory(() => ({ streams: new MinimalStreamSessionManager() }), ['streams', 'oneOrder'])));
