import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { contractCases } from '@holdfast/session-manager-test-kit';
import { describe, it } from 'vitest';

const contractFiles = [
	'stream-session-manager',
	'stream-id',
	'info-session-manager',
	'session-record',
	'session-state',
	'state-value',
	'session-manager-error',
];

/** What only a node can show that is cut off alone: the tests of the relay base and of Redis try it. */
const notProved = ['ongap'];

function sourceOf(name: string): string {
	return readFileSync(new URL(`../../session-manager/src/${name}.ts`, import.meta.url), 'utf8');
}

/** A doc comment without its marks and line breaks. */
function textOf(comment: string): string {
	return comment
		.replace(/^\s*(\/\*\*|\*\/|\*)/gm, ' ')
		.replaceAll('*/', ' ')
		.replace(/\s+/g, ' ');
}

const comments = contractFiles.flatMap((name) => sourceOf(name).match(/\/\*\*[\s\S]*?\*\//g) ?? []).map(textOf);

/** Each verb, primitive, word, option and answer of the contracts, with its doc comment. */
const members = ['stream-session-manager', 'info-session-manager'].flatMap((name) => {
	const contract = sourceOf(name).replace(/export interface (StreamController|SessionPage) [\s\S]*?\n}/g, '');
	const commented = /\n\t(\/\*\*(?:(?!\*\/)[\s\S])*\*\/)\n\t(?:abstract |readonly |get )*(\w+)[?(:]/g;
	return [...contract.matchAll(commented)]
		.map(([, comment = '', member = '']) => ({ of: name, member, comment: textOf(comment) }))
		.filter(({ member }) => !notProved.includes(member));
});

describe('the cases', () => {
	it.each(contractCases)('$id proves a sentence of the contract', ({ promise }) => {
		assert.ok(
			comments.some((comment) => comment.includes(promise)),
			promise,
		);
	});

	it.each(members)('prove something of $member in $of', ({ comment }) => {
		assert.ok(
			contractCases.some(({ promise }) => comment.includes(promise)),
			comment,
		);
	});

	it('prove something of each member of the contracts', () => {
		assert.ok(members.length >= 35);
	});

	it('have ids of their own, in kebab case', () => {
		const ids = contractCases.map(({ id }) => id);
		assert.equal(new Set(ids).size, ids.length);
		for (const id of ids) assert.match(id, /^(stream|info|state)\/[a-z0-9]+(-[a-z0-9]+)*$/);
	});

	it('know no test runner', () => {
		const files = readdirSync(new URL('../src/', import.meta.url), { recursive: true, encoding: 'utf8' });
		const runners = files.filter((file) => {
			const isFile = file.endsWith('.ts');
			return (
				isFile && /from '(vitest|node:test)'/.test(readFileSync(new URL(`../src/${file}`, import.meta.url), 'utf8'))
			);
		});
		assert.deepEqual(runners.sort(), ['node-test.ts', 'vitest.ts']);
	});
});
