// The official conformance suite, run against one URL and counted from what it wrote.
import { spawn } from 'node:child_process';
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const DEADLINE_MS = 5 * 60_000;
const newest = '0.2.0-alpha.12';

/** Everything that has to pass: a version of the suite, and what its `server` command is asked for. */
export const suites = [
	{ version: newest, args: ['--requirements', '2025-11-25'] },
	{ version: '0.1.16', args: ['--suite', 'all'] },
	// These three are not scored by the suite: a failure there leaves its exit code 0.
	{ version: newest, args: ['--scenario', 'server-session-lifecycle'] },
	{ version: newest, args: ['--scenario', 'server-sse-polling'] },
	{ version: newest, args: ['--scenario', 'json-schema-2020-12'] },
];

/** What a server of both eras has to pass, at one address. */
export const twoEraSuites = [
	{ version: newest, args: ['--requirements', '2025-11-25'] },
	// The suite does not score its tasks; here they have to pass.
	{ version: newest, args: ['--requirements', '2026-07-28'] },
];

/**
 * Runs one suite against `url`, with its output and results in `folder`. Answers what its checks say, and under
 * `problems`
 * every reason why this is not a pass.
 */
export async function runSuite({ version, args }, url, folder) {
	const log = join(folder, 'output.txt');
	const results = join(folder, 'results');
	const code = await runCli(version, ['server', '--url', url, ...args, '--output-dir', results], log);
	const scenarios = readResults(results);
	const outcome = outcomeOf(scenarios);
	const problems = problemsOf({ code, output: readFileSync(log, 'utf8'), scenarios, outcome });
	return { ...outcome, problems };
}

function outcomeOf(scenarios) {
	const count = (status) => scenarios.flatMap(({ checks }) => checks).filter((check) => check.status === status).length;
	return {
		scenarios: scenarios.length,
		passed: count('SUCCESS'),
		failed: count('FAILURE'),
		warnings: count('WARNING'),
	};
}

function problemsOf({ code, output, scenarios, outcome }) {
	const problems = scenarios.flatMap(({ name, checks }) =>
		checks
			.filter(({ status }) => status === 'FAILURE' || status === 'WARNING')
			.map(({ id, status, errorMessage }) => `${name}: ${id} ${status}: ${errorMessage ?? 'no message'}`),
	);
	if (code !== 0) problems.push(`the suite ended with code ${code}`);
	if (outcome.passed === 0) problems.push('nothing passed');
	const said = summaryOf(output);
	if (said === undefined) problems.push('the suite printed no summary');
	else if (said.passed !== outcome.passed || said.failed !== outcome.failed) {
		problems.push(`the suite says ${said.passed} passed, ${said.failed} failed, and its files say otherwise`);
	}
	// A scenario that broke down before it wrote its results is missing from them.
	const announced = /^Running .* \((\d+) scenarios\)/m.exec(output)?.[1] ?? 1;
	if (Number(announced) !== outcome.scenarios)
		problems.push(`${announced} scenarios ran, ${outcome.scenarios} left results`);
	return problems;
}

/** The numbers of the last summary: of a suite (`Total: …`), or of one scenario (`Passed: 3/3, 0 failed, …`). */
function summaryOf(output) {
	const [, passed, failed] =
		[...output.matchAll(/^Total: (\d+) passed, (\d+) failed/gm)].at(-1) ??
		[...output.matchAll(/^Passed: (\d+)\/\d+, (\d+) failed/gm)].at(-1) ??
		[];
	return passed === undefined ? undefined : { passed: Number(passed), failed: Number(failed) };
}

function readResults(folder) {
	const names = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
	return names.flatMap(({ name }) => {
		try {
			const checks = JSON.parse(readFileSync(join(folder, name, 'checks.json'), 'utf8'));
			return [{ name: name.replace(/^server-/, '').replace(/-\d{4}-\d\d-\d\dT.*$/, ''), checks }];
		} catch (error) {
			if (error.code === 'ENOENT') return [];
			throw error;
		}
	});
}

/** Runs the suite's command line, on Node 22 where ours is older; resolves to its exit code. */
function runCli(version, args, log) {
	const node = Number(process.versions.node.split('.')[0]) < 22 ? ['-p', 'node@22'] : [];
	const packages = [...node, '-p', `@modelcontextprotocol/conformance@${version}`];
	const output = openSync(log, 'w');
	// In a group of its own, so that npx and what it started can be ended together.
	const child = spawn('npx', ['-y', ...packages, 'conformance', ...args], {
		stdio: ['ignore', output, output],
		env: cleanEnvironment(),
		detached: true,
	});
	const end = () => process.kill(-child.pid, 'SIGKILL');
	const overdue = setTimeout(end, DEADLINE_MS);
	process.once('exit', end);
	return new Promise((resolve, reject) => {
		child.once('error', reject);
		child.once('exit', (code, signal) => resolve(code ?? signal));
	}).finally(() => {
		clearTimeout(overdue);
		process.off('exit', end);
		closeSync(output);
	});
}

/** The environment without the settings of the package manager that called us, which npx would complain about. */
function cleanEnvironment() {
	const kept = /^npm_config_(registry|ca|cafile|cache)$/i;
	const entries = Object.entries(process.env).filter(([name]) => !/^npm_config_/i.test(name) || kept.test(name));
	return Object.fromEntries(entries);
}
