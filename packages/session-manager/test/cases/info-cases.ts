import type { InfoCase } from './info-case.ts';
import { lifeCases } from './life-cases.ts';
import { recordCases } from './record-cases.ts';
import { stateCases } from './state-cases.ts';
import { subscriptionCases } from './subscription-cases.ts';

/** What every info manager keeps, with two peers. */
export const infoCases: readonly (readonly [about: string, cases: readonly InfoCase[]])[] = [
	['records', recordCases],
	['lives', lifeCases],
	['subscriptions', subscriptionCases],
	['state', stateCases],
];
