import type { NodeProcess } from '../../history/node-process.ts';
import type { FaultKind } from '../faults.ts';

/** What nodes make their managers of: the package, and the class and arguments of each. Arguments must be JSON. */
export interface Managers {
	readonly module: string;
	readonly streams: { readonly name: string; readonly arguments: readonly unknown[] };
	readonly info: { readonly name: string; readonly arguments: readonly unknown[] };
}

/** Makes a node, which is not started yet, on these managers. */
export type MakeNode = (managers: Managers) => NodeProcess;

/** A store, nodes on it, and what can go wrong with them. Many schedules share one. */
export interface Rig extends AsyncDisposable {
	/** They run. */
	readonly nodes: readonly NodeProcess[];
	/** `long`: faults may be so long that nobody waits for them in CI. */
	faults(long: boolean): readonly FaultKind[];
}

/** A store that nodes can be on. */
export type Engine = (makeNode: MakeNode) => Promise<Rig>;

/** So little that some of what is missed is forgotten. */
export const history = { maxEvents: 100, maxBytes: 512 * 1_024 } as const;
