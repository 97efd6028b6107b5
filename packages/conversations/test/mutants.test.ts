import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { runStoreCase, storeCases } from '@holdfast/conversations/testing';
import { describe, it } from 'vitest';
import { mutants } from './support/mutants.ts';

describe('a store in which', () => {
	it.each(mutants)('$defect fails $fails', async ({ fails, factory }) => {
		const storeCase = storeCases.find(({ id }) => id === fails);
		assert.ok(storeCase, `there is no case ${fails}`);
		await assert.rejects(runStoreCase(storeCase, factory));
	});
});

it('every case is one that a mutant of its own fails', () => {
	const failed = mutants.map(({ fails }) => fails);
	assert.deepEqual(failed.toSorted(), storeCases.map(({ id }) => id).toSorted());
});

describe('the cases', () => {
	const texts = ['conversation-store', 'conversation-record', 'search-request'].map((name) =>
		readFileSync(new URL(`../src/contract/${name}.ts`, import.meta.url), 'utf8'),
	);
	const comments = texts
		.flatMap((text) => text.match(/\/\*\*[\s\S]*?\*\//g) ?? [])
		.map((comment) => comment.replace(/^\s*(\/\*\*|\*\/|\*)/gm, ' ').replace(/\s+/g, ' '));

	it.each(storeCases)('$id proves a sentence of the contract', ({ promise }) => {
		assert.ok(
			comments.some((comment) => comment.includes(promise)),
			promise,
		);
	});

	it('each method of the contract is named in the comment of a promise', () => {
		const methods = [...(texts[0] ?? '').matchAll(/\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*abstract (\w+)\(/g)];
		assert.equal(methods.length, 16);
		for (const [, comment = '', name] of methods) {
			const prose = comment.replace(/^\s*\*/gm, ' ').replace(/\s+/g, ' ');
			const isTried = storeCases.some(({ promise }) => prose.includes(promise));
			// Counts and discoveries are compared by the cases of what they count.
			assert.ok(isTried || ['counts', 'messages', 'discoveries'].includes(name ?? ''), name);
		}
	});
});
