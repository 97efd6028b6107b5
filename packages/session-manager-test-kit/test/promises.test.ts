import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { contractCases } from '@holdfast/session-manager-test-kit';
import { describe, it } from 'vitest';

/** The files whose doc comments are the contracts. */
const contract = [
	'stream-session-manager',
	'stream-id',
	'info-session-manager',
	'session-record',
	'session-state',
	'state-value',
	'session-manager-error',
]
	.map((name) => readFileSync(new URL(`../../session-manager/src/${name}.ts`, import.meta.url), 'utf8'))
	.flatMap((source) => source.match(/\/\*\*[\s\S]*?\*\//g) ?? [])
	.map((comment) =>
		comment
			.replace(/^\s*(\/\*\*|\*\/|\*)/gm, ' ')
			.replaceAll('*/', ' ')
			.replace(/\s+/g, ' '),
	);

describe('the cases', () => {
	it.each(contractCases.map(({ id, promise }) => [id, promise]))(
		'%s proves a sentence of the contract',
		(_, promise) => {
			assert.ok(
				contract.some((comment) => comment.includes(promise.replace(/\s+/g, ' '))),
				promise,
			);
		},
	);

	it('have ids of their own, in kebab case', () => {
		const ids = contractCases.map(({ id }) => id);
		assert.equal(new Set(ids).size, ids.length);
		for (const id of ids) assert.match(id, /^(stream|info|state)\/[a-z0-9]+(-[a-z0-9]+)*$/);
	});

	it('know no test runner', () => {
		const vitest = readFileSync(new URL('../src/vitest.ts', import.meta.url), 'utf8');
		assert.match(vitest, /from 'vitest'/);
		for (const source of ['index', 'contract-cases', 'contract-run', 'factory-check', 'register', 'own-cases']) {
			const text = readFileSync(new URL(`../src/${source}.ts`, import.meta.url), 'utf8');
			assert.doesNotMatch(text, /from '(vitest|node:test)'/);
		}
	});
});
