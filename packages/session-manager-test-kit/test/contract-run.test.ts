import assert from 'node:assert/strict';
import { type ContractCase, contractCases, runContract } from '@holdfast/session-manager-test-kit';
import { describe, it } from 'vitest';
import { inMemory } from './in-memory-factory.ts';
import { MinimalStreamSessionManager } from './minimal-stream-session-manager.ts';

const minimal = inMemory(() => ({ streams: new MinimalStreamSessionManager() }), ['streams', 'oneOrder']);

describe('a run of the contracts without a test runner', () => {
	it('tells of every case what became of it', async () => {
		const results = await runContract(minimal);
		assert.deepEqual(
			results.map(({ id }) => id),
			contractCases.map(({ id }) => id),
		);
		for (const { id, outcome, undeclared } of results) {
			const needs = contractCases.find((each) => each.id === id)?.needs ?? [];
			const missing = needs.filter((ability) => !minimal.abilities.includes(ability));
			assert.equal(outcome, missing.length === 0 ? 'kept' : 'not declared');
			assert.deepEqual(undeclared ?? [], missing);
		}
		assert.ok(results.some(({ outcome }) => outcome === 'kept'));
	});

	it('tells why a promise is broken, and closes the managers all the same', async () => {
		let closed = 0;
		const counted = {
			abilities: minimal.abilities,
			async createPeers(count: number) {
				const made = await minimal.createPeers(count);
				return { ...made, close: () => void closed++ };
			},
		};
		const failure = new Error('broken on purpose');
		const breaking: ContractCase = {
			id: 'stream/breaking',
			promise: 'None.',
			title: 'a case that fails',
			needs: ['streams'],
			async run(context) {
				await context.streams(2);
				throw failure;
			},
		};
		const [result] = await runContract(counted, [breaking]);
		assert.deepEqual([result?.outcome, result?.error], ['broken', failure]);
		// Two groups of the check, closed twice each, and that of the case.
		assert.equal(closed, 5);
	});
});
