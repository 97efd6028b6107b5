import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { contractCases } from '@holdfast/session-manager-test-kit';
import { describe, it } from 'vitest';
import { CALLERS, FREE, NAMES, otherSentences } from './other-sentences.ts';

const contractFiles = [
	'contract/stream-session-manager',
	'contract/end-of-stream',
	'contract/stream-id',
	'contract/info-session-manager',
	'contract/session-record',
	'session/session-state',
	'session/state-values',
	'session/state-value',
	'contract/session-manager-error',
];

function sourceOf(name: string): string {
	return readFileSync(new URL(`../../session-manager/src/${name}.ts`, import.meta.url), 'utf8');
}

/** The prose of a doc comment, without its marks, line breaks and tags. */
function textOf(comment: string): string {
	return comment
		.replace(/@(default|example)\b[\s\S]*/, ' ')
		.replace(/^\s*(\/\*\*|\*\/|\*)/gm, ' ')
		.replaceAll('*/', ' ')
		.replace(/\s+/g, ' ');
}

function commentsOf(name: string): string[] {
	return (sourceOf(name).match(/\/\*\*[\s\S]*?\*\//g) ?? []).map(textOf);
}

const comments = contractFiles.flatMap(commentsOf);

/** The doc comments in which every sentence must be a promise or be accounted for. */
const complete = ['stream-session-manager', 'end-of-stream', 'info-session-manager', 'session-record', 'node-record']
	.map((name) => `contract/${name}`)
	.flatMap(commentsOf);

/** Returns what is left of `comment` without the sentences of the cases and of {@link otherSentences}. */
function unprovedOf(comment: string): string {
	const sentences = [...contractCases.map(({ promise }) => promise), ...Object.keys(otherSentences)];
	const longestFirst = sentences.sort((a, b) => b.length - a.length);
	return longestFirst
		.reduce((rest, sentence) => rest.replaceAll(sentence, ''), comment)
		.replace(/[\s-]+/g, ' ')
		.trim();
}

describe('the cases', () => {
	it.each(contractCases)('$id proves a sentence of the contract', ({ promise }) => {
		assert.ok(
			comments.some((comment) => comment.includes(promise)),
			promise,
		);
	});

	it.each(complete)('leave nothing out of: %s', (comment) => {
		assert.equal(unprovedOf(comment), '');
	});

	it.each(Object.entries(otherSentences))('%s (%s)', (sentence, account) => {
		assert.ok(complete.some((comment) => comment.includes(sentence)));
		const reasons: string[] = [...contractCases.map(({ id }) => id), NAMES, CALLERS, FREE];
		assert.ok(reasons.includes(account), account);
	});

	it('know every member of the contracts', () => {
		assert.ok(complete.length >= 80, `${complete.length}`);
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
