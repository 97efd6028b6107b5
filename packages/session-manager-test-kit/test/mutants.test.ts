import assert from 'node:assert/strict';
import { contractCases, runCase } from '@holdfast/session-manager-test-kit';
import { describeContract } from '@holdfast/session-manager-test-kit/vitest';
import { describe, it } from 'vitest';
import { infoNodes } from './info-node.ts';
import { InfoWrapper, infoOnly } from './info-wrapper.ts';
import type { Mutant } from './mutant.ts';
import { mutantsOfDelivery } from './mutants-of-delivery.ts';
import { mutantsOfHistory } from './mutants-of-history.ts';
import { mutantsOfInfoNodes } from './mutants-of-info-nodes.ts';
import { mutantsOfKinds } from './mutants-of-kinds.ts';
import { mutantsOfLife } from './mutants-of-life.ts';
import { mutantsOfNodes } from './mutants-of-nodes.ts';
import { mutantsOfOpening } from './mutants-of-opening.ts';
import { mutantsOfPartition } from './mutants-of-partition.ts';
import { mutantsOfRecords } from './mutants-of-records.ts';
import { mutantsOfRegistry } from './mutants-of-registry.ts';
import { mutantsOfResults } from './mutants-of-results.ts';
import { mutantsOfRetention } from './mutants-of-retention.ts';
import { mutantsOfRoom } from './mutants-of-room.ts';
import { mutantsOfState } from './mutants-of-state.ts';
import { StreamWrapper, streamsOnly } from './stream-wrapper.ts';

const mutants = [
	...[mutantsOfRecords, mutantsOfResults, mutantsOfLife, mutantsOfState, mutantsOfInfoNodes, mutantsOfRegistry].flat(),
	...[mutantsOfRoom, mutantsOfKinds].flat(),
	...[mutantsOfDelivery, mutantsOfOpening, mutantsOfHistory, mutantsOfRetention].flat(),
	...[mutantsOfNodes, mutantsOfPartition].flat(),
];

/**
 * Many cases find a defect out by waiting in vain: so many of them wait at the same time. More would hold the event
 * loop for so long that managers take it for a stall, and read everything again, in order.
 */
const AT_ONCE = 100;
const lanes = Array.from({ length: AT_ONCE }, () => Promise.resolve());
const outcomes = new Map(
	mutants.map((mutant, index) => {
		const lane = index % AT_ONCE;
		const outcome = (lanes[lane] ?? Promise.resolve()).then(() => outcomeOf(mutant));
		lanes[lane] = outcome.then(() => {});
		return [mutant.defect, outcome] as const;
	}),
);

async function outcomeOf({ fails, factory }: Mutant): Promise<'kept' | 'broken' | 'no such case'> {
	const named = contractCases.find(({ id }) => id === fails);
	if (named === undefined) return 'no such case';
	return runCase(named, factory).then(
		() => 'kept',
		() => 'broken',
	);
}

describe('a manager in which', () => {
	it.each(mutants)('$defect fails $fails', async ({ defect }) => {
		assert.equal(await outcomes.get(defect), 'broken');
	});
});

it('every case is one that some mutant fails, each with a defect of its own', () => {
	const failed = new Set(mutants.map(({ fails }) => fails));
	assert.deepEqual(
		contractCases.map(({ id }) => id).filter((id) => !failed.has(id)),
		[],
	);
	assert.equal(outcomes.size, mutants.length);
});

describe('what mutants are made of, without a defect: info', () =>
	describeContract(infoOnly((limits) => new InfoWrapper(limits))));
describe('what mutants are made of, without a defect: nodes', () => describeContract(infoNodes()));
describe('what mutants are made of, without a defect: streams', () =>
	describeContract(streamsOnly((limits) => new StreamWrapper(limits))));
