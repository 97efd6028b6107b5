import assert from 'node:assert/strict';
import { contractCases } from './contract-cases.js';
import { runCase, undeclaredAbilities, undeclaredOf } from './contract-run.js';
import { checkFactory, checkShape } from './factory-check.js';
import type { ManagerFactory } from './manager-factory.js';

/** How a test runner registers a group of tests and a test. */
export interface TestRunner {
	group(name: string, register: () => void): void;
	test(name: string, run: () => Promise<void>): void;
}

/**
 * The timeout of a test, in milliseconds. It exceeds the deadlines of the cases, whose errors say what they waited for.
 */
export const CASE_TIMEOUT_MS = 60_000;

/**
 * Registers the check of the factory, every case, and a line for each undeclared ability. Throws a `TypeError` where
 * there is no factory.
 */
export function register(factory: ManagerFactory, { group, test }: TestRunner): void {
	checkShape(factory);
	let checked: Promise<void> | undefined;
	const check = () => {
		checked ??= checkFactory(factory);
		return checked;
	};
	group('the factory', () => {
		test('gives managers of its own to each call, as it declares them', check);
		for (const { ability, line } of undeclaredAbilities(factory)) {
			test(line, async () => assert.equal(factory.abilities.includes(ability), false));
		}
	});
	for (const contract of ['stream', 'info', 'state']) {
		const cases = contractCases.filter(({ id }) => id.startsWith(`${contract}/`));
		const declared = cases.filter((each) => undeclaredOf(each, factory).length === 0);
		if (declared.length === 0) continue;
		group(contract, () => {
			for (const each of declared) {
				test(`${each.id}: ${each.title}`, async () => {
					await check();
					await runCase(each, factory);
				});
			}
		});
	}
}
