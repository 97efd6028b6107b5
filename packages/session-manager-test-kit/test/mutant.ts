import type { ManagerFactory } from '@holdfast/session-manager-test-kit';

/** A manager with one defect. */
export interface Mutant {
	/** What it does wrong, as it was found in other systems. */
	readonly defect: string;
	/** The id of the case that must fail. */
	readonly fails: string;
	readonly factory: ManagerFactory;
}
