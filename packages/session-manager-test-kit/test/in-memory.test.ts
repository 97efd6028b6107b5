import assert from 'node:assert/strict';
import { InMemoryInfoSessionManager } from '@holdfast/session-manager';
import { ManualClock } from '@holdfast/session-manager/testing';
import { assertUnknown, sampleRecord } from '@holdfast/session-manager-test-kit/own-cases';
import { describeContract } from '@holdfast/session-manager-test-kit/vitest';
import { describe, it } from 'vitest';
import { inMemory } from './in-memory-factory.ts';

describe('the in-memory managers', () => describeContract(inMemory()));

describe('a session in memory that has expired', () => {
	it.each([
		['was idle for too long', { idleTtlMs: 1_000 }],
		['reached its end', { endsAt: 1_000 }],
	])('reads as nothing and takes no writes after it %s, before anything swept it away', async (_, given) => {
		const clock = new ManualClock();
		const info = new InMemoryInfoSessionManager({ clock, sweepIntervalMs: 1e9 });
		info.create(sampleRecord('s', given));
		info.addSubscription('s', 'file:///a');
		info.writeState('s', 'key', undefined, 's1');
		clock.advance(999);
		assert.notEqual(info.read('s'), undefined);
		clock.advance(1);
		assert.deepEqual(info.getSubscriptions('file:///a'), []);
		assert.equal(info.read('s'), undefined);
		const before = info.stats();
		await assertUnknown(info, 's');
		assert.deepEqual(info.stats(), before);
	});
});
