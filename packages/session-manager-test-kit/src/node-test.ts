import { describe, it } from 'node:test';
import type { ManagerFactory } from './manager-factory.js';
import { CASE_TIMEOUT_MS, register } from './register.js';

/** Registers the contracts as tests of `node:test`: the check of the factory, every case, and what is not declared. */
export function describeContract(factory: ManagerFactory): void {
	register(factory, {
		group: (name, body) => void describe(name, body),
		test: (name, run) => void it(name, { timeout: CASE_TIMEOUT_MS }, run),
	});
}
