import type { InfoSessionManager, StreamSessionManager } from '@holdfast/session-manager';
import type { Ability } from './ability.js';
import type { Backend, PeerLimits } from './manager-factory.js';

/** One promise of a contract, as a case that can run on any managers. It depends on no test runner. */
export interface ContractCase {
	/** The name of the case in reports; it never changes. */
	readonly id: `${'stream' | 'info' | 'state'}/${string}`;
	/** The sentence of the contract that the case tests, as in the doc comment. */
	readonly promise: string;
	/** What the case tries. */
	readonly title: string;
	/** The abilities that the managers must have declared. */
	readonly needs: readonly Ability[];
	/** Resolves when the promise is kept. Otherwise rejects with an `AssertionError`, or with the error of a manager. */
	run(context: CaseContext): Promise<void>;
}

/** The managers of a case. They share one backend, which no other case uses, and are closed after the case. */
export interface CaseContext {
	/**
	 * Returns the stream managers of `count` nodes; all are the same manager where `crossNode` is not declared. Must be
	 * called at most once.
	 *
	 * @default 2
	 */
	streams<Count extends 1 | 2 | 3 = 2>(count?: Count, limits?: PeerLimits): Promise<Nodes<StreamSessionManager>[Count]>;
	/**
	 * Returns the info managers of `count` nodes, in the same way.
	 *
	 * @default 2
	 */
	info<Count extends 1 | 2 | 3 = 2>(count?: Count, limits?: PeerLimits): Promise<Nodes<InfoSessionManager>[Count]>;
	/** The declared handles of these managers' backend. */
	readonly backend: Required<Backend>;
}

/** A tuple of managers of the requested length. */
export interface Nodes<Manager> {
	1: [Manager];
	2: [Manager, Manager];
	3: [Manager, Manager, Manager];
}
