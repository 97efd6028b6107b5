import type { ContractCase } from './contract-case.js';
import { lifeCases } from './info/life-cases.js';
import { recordCases } from './info/record-cases.js';
import { stateCases } from './info/state-cases.js';
import { subscriptionCases } from './info/subscription-cases.js';
import { addressCases } from './streams/address-cases.js';
import { deliveryCases } from './streams/delivery-cases.js';
import { resumingCases } from './streams/resuming-cases.js';
import { retentionCases } from './streams/retention-cases.js';
import { takeoverCases } from './streams/takeover-cases.js';

/** Every promise of the two contracts. */
export const contractCases: readonly ContractCase[] = Object.freeze([
	...takeoverCases,
	...deliveryCases,
	...resumingCases,
	...retentionCases,
	...addressCases,
	...recordCases,
	...lifeCases,
	...subscriptionCases,
	...stateCases,
]);
