import type { ContractCase } from './contract-case.js';
import { capacityCases } from './info/capacity-cases.js';
import { exactCases } from './info/exact-cases.js';
import { expiryCases } from './info/expiry-cases.js';
import { kindCases } from './info/kind-cases.js';
import { lifeCases } from './info/life-cases.js';
import { outageCases as infoOutageCases } from './info/outage-cases.js';
import { recordCases } from './info/record-cases.js';
import { registryCases } from './info/registry-cases.js';
import { roomCases } from './info/room-cases.js';
import { stateCases } from './info/state-cases.js';
import { subscriptionCases } from './info/subscription-cases.js';
import { unknownCases } from './info/unknown-cases.js';
import { vocabularyCases } from './info/vocabulary-cases.js';
import { addressCases } from './streams/address-cases.js';
import { deliveryCases } from './streams/delivery-cases.js';
import { endingCases } from './streams/ending-cases.js';
import { outageCases as streamOutageCases } from './streams/outage-cases.js';
import { partitionCases } from './streams/partition-cases.js';
import { resumingCases } from './streams/resuming-cases.js';
import { retentionCases } from './streams/retention-cases.js';
import { takeoverCases } from './streams/takeover-cases.js';
import { verbCases } from './streams/verb-cases.js';

/** The cases of all promises of the two contracts. */
export const contractCases: readonly ContractCase[] = Object.freeze([
	...verbCases,
	...takeoverCases,
	...deliveryCases,
	...resumingCases,
	...endingCases,
	...retentionCases,
	...addressCases,
	...partitionCases,
	...streamOutageCases,
	...recordCases,
	...unknownCases,
	...vocabularyCases,
	...expiryCases,
	...lifeCases,
	...capacityCases,
	...roomCases,
	...kindCases,
	...registryCases,
	...exactCases,
	...subscriptionCases,
	...stateCases,
	...infoOutageCases,
]);
