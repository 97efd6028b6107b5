import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { contractCases } from '@holdfast/session-manager-test-kit';
import { describe, it } from 'vitest';

interface Outcome {
	readonly exitCode: number;
	/** The tests by what became of them. */
	readonly passed: readonly string[];
	readonly failed: readonly string[];
	readonly skipped: number;
}

const folder = fileURLToPath(new URL('runners', import.meta.url));
const vitest = join(dirname(createRequire(import.meta.url).resolve('vitest/package.json')), 'vitest.mjs');

/** Runs a test runner on `managers` in a process of its own. */
async function run(managers: string, ...program: string[]): Promise<{ exitCode: number; output: string }> {
	const { NODE_TEST_CONTEXT: _, VITEST: __, ...environment } = process.env;
	const child = spawn(process.execPath, program, {
		cwd: folder,
		env: { ...environment, MANAGERS: managers },
		stdio: ['ignore', 'pipe', 'inherit'],
	});
	const closed = new Promise<number>((resolve) => child.once('close', (code) => resolve(code ?? -1)));
	const output = await text(child.stdout);
	return { exitCode: await closed, output };
}

async function runNodeTest(managers: string): Promise<Outcome> {
	const file = fileURLToPath(new URL('runners/contract.node-test.mjs', import.meta.url));
	const { exitCode, output } = await run(managers, '--test', '--test-reporter=tap', file);
	// Groups have a plan of their own and are no tests.
	const lines = [...output.matchAll(/^ {4,}(not )?ok \d+ - (.*)$/gm)];
	const tests = lines.map(([, failed, name = '']) => ({
		name: name.replaceAll('\\', ''),
		failed: failed !== undefined,
	}));
	return {
		exitCode,
		passed: tests.filter(({ failed }) => !failed).map(({ name }) => name),
		failed: tests.filter(({ failed }) => failed).map(({ name }) => name),
		skipped: Number(/^# skipped (\d+)$/m.exec(output)?.[1]) + Number(/^# todo (\d+)$/m.exec(output)?.[1]),
	};
}

async function runVitest(managers: string): Promise<Outcome> {
	const file = fileURLToPath(new URL('runners/contract.vitest.mjs', import.meta.url));
	const config = fileURLToPath(new URL('runners/vitest.config.mjs', import.meta.url));
	const options = ['--config', config, '--root', folder, '--reporter', 'json'];
	const { exitCode, output } = await run(managers, vitest, 'run', ...options, file);
	const { testResults } = JSON.parse(output.slice(output.indexOf('{'))) as {
		testResults: { assertionResults: { title: string; status: string }[] }[];
	};
	const tests = testResults.flatMap(({ assertionResults }) => assertionResults);
	const named = (wanted: string) => tests.filter(({ status }) => status === wanted).map(({ title }) => title);
	const [passed, failed] = [named('passed'), named('failed')];
	return { exitCode, passed, failed, skipped: tests.length - passed.length - failed.length };
}

const declared = contractCases.filter(({ needs }) => needs.every((each) => each === 'info' || each === 'keepsEnded'));
const undeclared = ['streams', 'capacity', 'history', 'limits', 'oneOrder', 'crossNode', 'partition', 'outages'];

describe.each([
	['node:test', runNodeTest],
	['vitest', runVitest],
])('on %s', (_, runOn) => {
	it('a healthy manager passes, and what it does not declare is told', { timeout: 60_000 }, async () => {
		const { exitCode, passed, failed, skipped } = await runOn('healthy');
		assert.deepEqual([exitCode, failed, skipped], [0, [], 0]);
		for (const { id, title } of declared) assert.ok(passed.includes(`${id}: ${title}`), id);
		for (const ability of undeclared) {
			assert.ok(
				passed.some((name) => new RegExp(`^not declared: ${ability} – \\d+ cases? (does|do) not run`).test(name)),
				ability,
			);
		}
	});

	it('a manager with a defect fails the cases that find it out, and passes the others', {
		timeout: 60_000,
	}, async () => {
		const { exitCode, passed, failed, skipped } = await runOn('broken');
		assert.deepEqual([exitCode === 0, skipped], [false, 0]);
		assert.ok(failed.some((name) => name.startsWith('info/deleted: ')));
		assert.ok(passed.some((name) => name.startsWith('info/touch: ')));
	});

	it('a factory that is wrong fails its check and every case', { timeout: 60_000 }, async () => {
		const { passed, failed } = await runOn('shared');
		assert.ok(failed.includes('gives managers of its own to each call, as it declares them'));
		for (const { id, title } of declared) assert.ok(failed.includes(`${id}: ${title}`), id);
		assert.deepEqual(
			passed.filter((name) => !name.startsWith('not declared: ')),
			[],
		);
	});
});
