import { contextCases } from './context-cases.js';
import { headCases } from './head-cases.js';
import { messageCases } from './message-cases.js';
import { searchCases } from './search-cases.js';
import type { StoreCase } from './store-case.js';
import { useCases } from './use-cases.js';

/** Every promise of `ConversationStore`, as cases. */
export const storeCases: readonly StoreCase[] = Object.freeze([
	...headCases,
	...messageCases,
	...contextCases,
	...searchCases,
	...useCases,
]);
