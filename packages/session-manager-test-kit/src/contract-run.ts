import { ABILITIES, type Ability } from './ability.js';
import type { CaseContext, ContractCase } from './contract-case.js';
import { contractCases } from './contract-cases.js';
import { checkFactory, checkShape } from './factory-check.js';
import type { Backend, ManagerFactory, PeerGroup, PeerLimits } from './manager-factory.js';

/** The result of one case. */
export interface CaseResult extends Pick<ContractCase, 'id' | 'promise' | 'title'> {
	/** `not declared`: the case did not run, because it needs the {@link undeclared} abilities. */
	readonly outcome: 'kept' | 'broken' | 'not declared';
	/** Why the promise is broken. */
	readonly error?: unknown;
	/** The abilities that the case needs and the factory does not declare. */
	readonly undeclared?: readonly Ability[];
}

/** An ability that the factory does not declare. */
export interface UndeclaredAbility {
	readonly ability: Ability;
	/** One line for a report. */
	readonly line: string;
}

/**
 * Checks the factory, then runs `cases` (default: all) on its managers, one after another, and returns the result of
 * each. Rejects with a `TypeError` that says what to change when the factory itself is wrong.
 *
 * @example
 * ```ts source="../test/examples/run-contract.examples.ts#report"
 * const results = await runContract(factory);
 * const broken = results.filter(({ outcome }) => outcome === 'broken');
 * const lines = broken.map(({ id, promise, error }) => `${id}: ${promise} ${error}`);
 * ```
 */
export async function runContract(factory: ManagerFactory, cases = contractCases): Promise<CaseResult[]> {
	await checkFactory(factory);
	const results: CaseResult[] = [];
	for (const contractCase of cases) {
		const { id, promise, title } = contractCase;
		const undeclared = undeclaredOf(contractCase, factory);
		if (undeclared.length > 0) {
			results.push({ id, promise, title, outcome: 'not declared', undeclared });
			continue;
		}
		try {
			await runCase(contractCase, factory);
			results.push({ id, promise, title, outcome: 'kept' });
		} catch (error) {
			results.push({ id, promise, title, outcome: 'broken', error });
		}
	}
	return results;
}

/** Runs one case on new managers, which are closed after it. */
export async function runCase(contractCase: ContractCase, factory: ManagerFactory): Promise<void> {
	checkShape(factory);
	const context = new FactoryContext(factory);
	try {
		await contractCase.run(context);
	} finally {
		await context.close();
	}
}

/** Returns the abilities that a case needs and the factory does not declare. */
export function undeclaredOf({ needs }: ContractCase, { abilities }: ManagerFactory): Ability[] {
	return needs.filter((ability) => !abilities.includes(ability));
}

/** Returns each ability that the factory does not declare, with a line that says which cases do not run. */
export function undeclaredAbilities({ abilities }: ManagerFactory): UndeclaredAbility[] {
	const undeclared = (Object.keys(ABILITIES) as Ability[]).filter((ability) => !abilities.includes(ability));
	return undeclared.map((ability) => {
		const { length } = contractCases.filter(({ needs }) => needs.includes(ability));
		const count = length === 1 ? '1 case does' : `${length} cases do`;
		const rest = ability === 'crossNode' ? ', and the others run on one node' : '';
		return { ability, line: `not declared: ${ability} – ${count} not run${rest} (${ABILITIES[ability]})` };
	});
}

class FactoryContext implements CaseContext {
	readonly #factory: ManagerFactory;
	readonly #groups: PeerGroup[] = [];

	constructor(factory: ManagerFactory) {
		this.#factory = factory;
	}

	get backend(): Required<Backend> {
		return this.#groups.at(-1)?.backend as Required<Backend>;
	}

	async streams(count = 2, limits?: PeerLimits): Promise<never> {
		const peers = await this.#peers(count, limits);
		return peers.map(({ streams }) => streams) as never;
	}

	async info(count = 2, limits?: PeerLimits): Promise<never> {
		const peers = await this.#peers(count, limits);
		return peers.map(({ info }) => info) as never;
	}

	async close(): Promise<void> {
		for (const group of this.#groups) await group.close();
	}

	async #peers(count: number, limits?: PeerLimits) {
		const nodes = this.#factory.abilities.includes('crossNode') ? count : 1;
		const group = await this.#factory.createPeers(nodes, limits);
		this.#groups.push(group);
		return Array.from({ length: count }, (_, index) => group.peers[index % nodes] ?? {});
	}
}
