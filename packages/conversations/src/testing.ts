import { STORE_ABILITIES, type StoreAbility, type StoreCase, type StoreFactory } from './testing/store-case.js';
import { storeCases } from './testing/store-cases.js';

export {
	STORE_ABILITIES,
	type StoreAbility,
	type StoreBackend,
	type StoreCase,
	type StoreCaseContext,
	type StoreFactory,
	type StoreGroup,
} from './testing/store-case.js';
export { storeCases } from './testing/store-cases.js';

/** What the kit needs of a test runner: `describe` and `it` of vitest and of `node:test` fit. */
export interface StoreTestRunner {
	describe(name: string, body: () => void): unknown;
	it(name: string, run: () => Promise<void>): unknown;
}

/** Runs one case on new stores, which are closed after it. Resolves when the promise is kept. */
export async function runStoreCase(storeCase: StoreCase, factory: StoreFactory): Promise<void> {
	const isMany = factory.abilities.includes('crossNode');
	const group = await factory.createStores(isMany ? 2 : 1);
	try {
		const [a, b = a] = group.stores;
		if (a === undefined || b === undefined) throw new TypeError('createStores must return at least one store.');
		await storeCase.run({ a, b, backend: (group.backend ?? {}) as Parameters<StoreCase['run']>[0]['backend'] });
	} finally {
		await group.close();
	}
}

/**
 * Registers the contract of `ConversationStore` as tests of your runner: every case, and a line for each ability that
 * is not declared.
 *
 * @example
 * ```ts source="../test/examples/describe-store.examples.ts#register"
 * import { describe, it } from 'node:test';
 * import { InMemoryConversationStore } from '@holdfast/conversations';
 * import { describeConversationStore } from '@holdfast/conversations/testing';
 *
 * describeConversationStore(
 * 	{
 * 		abilities: [],
 * 		createStores: () => ({ stores: [new InMemoryConversationStore()], close() {} }),
 * 	},
 * 	{ describe, it },
 * );
 * ```
 */
export function describeConversationStore(factory: StoreFactory, { describe, it }: StoreTestRunner): void {
	describe('a conversation store', () => {
		for (const ability of Object.keys(STORE_ABILITIES) as StoreAbility[]) {
			if (factory.abilities.includes(ability)) continue;
			const { length } = storeCases.filter(({ needs }) => needs.includes(ability));
			it(`not declared: ${ability} – ${length} cases of it do not run (${STORE_ABILITIES[ability]})`, async () => {});
		}
		for (const each of storeCases) {
			if (!each.needs.every((ability) => factory.abilities.includes(ability))) continue;
			it(`${each.id}: ${each.title}`, () => runStoreCase(each, factory));
		}
	});
}
