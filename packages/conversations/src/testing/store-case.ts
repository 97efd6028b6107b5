import type { MaybePromise } from '@holdfast/session-manager';
import type { ConversationStore } from '../contract/conversation-store.js';

/** The abilities of a store. A case runs when all the abilities that it needs are declared. */
export const STORE_ABILITIES = Object.freeze({
	crossNode: 'the stores of one call are separate nodes or processes over the same data',
	durable: 'what was acknowledged is there after a restart: `backend.restart`',
	outages: 'the data can become unreachable and come back: `backend.fail` and `backend.heal`',
	corruption: 'what is stored of a conversation can be damaged: `backend.damage`',
});

/** One of {@link STORE_ABILITIES}. */
export type StoreAbility = keyof typeof STORE_ABILITIES;

/** What a case can do to the data below the stores. */
export interface StoreBackend {
	/** Returns a new store over the same data, as after a restart. It is closed with the others. */
	restart?(): MaybePromise<ConversationStore>;
	/** Makes the data unreachable for every store. */
	fail?(): MaybePromise<void>;
	/** Makes it reachable again, as it was. */
	heal?(): MaybePromise<void>;
	/** Damages the head of a conversation, or its messages, in a way that cannot be understood. */
	damage?(id: string, part: 'head' | 'messages'): MaybePromise<void>;
}

/** Stores over the same data, which no other case uses. */
export interface StoreGroup {
	readonly stores: readonly ConversationStore[];
	readonly backend?: StoreBackend;
	/** Closes the stores and removes the data. */
	close(): MaybePromise<void>;
}

/** Makes the stores under test. */
export interface StoreFactory {
	readonly abilities: readonly StoreAbility[];
	/** Makes `count` stores over the same empty data; one is enough where `crossNode` is not declared. */
	createStores(count: number): MaybePromise<StoreGroup>;
}

/** What a case works with. Both stores are the same one where `crossNode` is not declared. */
export interface StoreCaseContext {
	readonly a: ConversationStore;
	readonly b: ConversationStore;
	readonly backend: Required<StoreBackend>;
}

/** One promise of the contract, as a case that runs on any store. It depends on no test runner. */
export interface StoreCase {
	/** The name of the case in reports; it never changes. */
	readonly id: string;
	/** The sentence of the contract that the case tests, as in the doc comment. */
	readonly promise: string;
	/** What the case tries. */
	readonly title: string;
	readonly needs: readonly StoreAbility[];
	/** Resolves when the promise is kept; otherwise rejects. */
	run(context: StoreCaseContext): Promise<void>;
}
