import type { InfoSessionManager, StreamSessionManager } from '@holdfast/session-manager';
import type { Ability } from './ability.js';
import type { Backend, PeerLimits } from './manager-factory.js';

/** One promise of a contract, as something that can be run on any managers. It knows no test runner. */
export interface ContractCase {
	/** What the case is called wherever it is named: it never changes. */
	readonly id: `${'stream' | 'info' | 'state'}/${string}`;
	/** The sentence of the contract that it proves, as the doc comment has it. */
	readonly promise: string;
	/** What is tried. */
	readonly title: string;
	/** What the managers must have declared. */
	readonly needs: readonly Ability[];
	/** Resolves where the promise is kept; rejects with an `AssertionError`, or what a manager threw, where it is not. */
	run(context: CaseContext): Promise<void>;
}

/** What a case is given: managers that share one backend, which no other case uses. They are closed after the case. */
export interface CaseContext {
	/** Stream managers of `count` nodes (default 2); one and the same where `crossNode` is not declared. To be called once. */
	streams<Count extends 1 | 2 | 3 = 2>(count?: Count, limits?: PeerLimits): Promise<Nodes<StreamSessionManager>[Count]>;
	/** Info managers, likewise. */
	info<Count extends 1 | 2 | 3 = 2>(count?: Count, limits?: PeerLimits): Promise<Nodes<InfoSessionManager>[Count]>;
	/** What was declared of the backend of these managers. */
	readonly backend: Required<Backend>;
}

/** As many managers as were asked for. */
export interface Nodes<Manager> {
	1: [Manager];
	2: [Manager, Manager];
	3: [Manager, Manager, Manager];
}
