import { describe, it } from 'vitest';
import type { ManagerFactory } from './manager-factory.js';
import { CASE_TIMEOUT_MS, register } from './register.js';

/**
 * Registers the contracts as tests of vitest: the check of the factory, every case, and each undeclared ability.
 *
 * @example
 * ```ts source="../test/examples/describe-contract.examples.ts#register"
 * describeContract({
 * 	abilities: ['streams', 'info', 'history', 'limits', 'oneOrder', 'keepsEnded', 'capacity'],
 * 	createPeers(_count, limits = {}) {
 * 		const streams = new InMemoryStreamSessionManager(limits);
 * 		const info = new InMemoryInfoSessionManager(limits);
 * 		return { peers: [{ streams, info }], close: () => streams.close() };
 * 	},
 * });
 * ```
 */
export function describeContract(factory: ManagerFactory): void {
	register(factory, {
		group: (name, body) => void describe(name, body),
		test: (name, run) => void it(name, { timeout: CASE_TIMEOUT_MS }, run),
	});
}
