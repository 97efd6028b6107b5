import { addressCases } from './address-cases.ts';
import type { StreamCase } from './case.ts';
import { deliveryCases } from './delivery-cases.ts';
import { resumingCases } from './resuming-cases.ts';
import { retentionCases } from './retention-cases.ts';
import { takeoverCases } from './takeover-cases.ts';

/** What every resumable stream manager keeps, with two peers or more. */
export const streamCases: readonly (readonly [about: string, cases: readonly StreamCase[]])[] = [
	['takeover', takeoverCases],
	['delivery', deliveryCases],
	['resuming', resumingCases],
	['retention', retentionCases],
	['addresses and ids', addressCases],
];
