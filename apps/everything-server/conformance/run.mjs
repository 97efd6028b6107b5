// Runs the official conformance suite against the everything-server, on one node and on three; ends with 1 unless
// everything passed.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { withOneNode, withPostgres, withSqlite, withThreeNodes } from './deployments.mjs';
import { runSuite, suites, twoEraSuites } from './suites.mjs';

/** Nodes that read what another one has sealed. */
const twoEras = ['--sdk', 'v2', '--stateless', '--request-state-key', 'x'.repeat(32)];
// Adaptive answers are JSON where the suite would also look into a stream, so one server answers with streams only.
const servers = [
	['one node', withOneNode, ['--sdk', 'v1']],
	['one node', withOneNode, ['--sdk', 'v2']],
	['one node', withOneNode, ['--sdk', 'v1', '--response-mode', 'sse']],
	['nginx, 3 nodes', withThreeNodes, ['--sdk', 'v1']],
	['nginx, 3 nodes', withThreeNodes, ['--sdk', 'v2']],
	['nginx, 3 nodes', withThreeNodes, ['--sdk', 'v1', '--response-mode', 'sse']],
	['3 on PostgreSQL', withPostgres, ['--sdk', 'v1', '--response-mode', 'sse']],
	['3 on one file', withSqlite, ['--sdk', 'v1', '--response-mode', 'sse']],
	['one node', withOneNode, ['--sdk', 'v2', '--stateless'], twoEraSuites],
	['nginx, 3 nodes', withThreeNodes, twoEras, twoEraSuites],
	['3 on PostgreSQL', withPostgres, twoEras, twoEraSuites],
	['3 on one file', withSqlite, twoEras, twoEraSuites],
];

const folder = mkdtempSync(join(tmpdir(), 'holdfast-conformance-'));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(1));

const widths = [16, 30, 42, 10, 7, 7, 9];
const print = (...cells) =>
	console.log(
		cells
			.map((cell, at) => String(cell).padEnd(widths[at]))
			.join(' ')
			.trimEnd(),
	);

print('deployment', 'everything-server', 'conformance', 'scenarios', 'passed', 'failed', 'warnings');
const problems = [];
for (const [number, [deployment, withServer, flags, own = suites]] of servers.entries()) {
	const ending = await withServer(flags, async (port) => {
		for (const [index, suite] of own.entries()) {
			const where = join(folder, `${number + 1}-${index + 1}`);
			mkdirSync(join(where, 'results'), { recursive: true });
			// By this name, and no other, the suite tests protection against DNS rebinding.
			const outcome = await runSuite(suite, `http://localhost:${port}/mcp`, where);
			const names = [
				deployment,
				flags.join(' ').split(' --request-state-key')[0],
				`${suite.version} ${suite.args.at(-1)}`,
			];
			print(...names, outcome.scenarios, outcome.passed, outcome.failed, outcome.warnings);
			problems.push(...outcome.problems.map((problem) => `${names.join(', ')}: ${problem}`));
		}
	});
	problems.push(...ending.map((problem) => `${deployment}: ${problem}`));
}
if (problems.length === 0) {
	rmSync(folder, { recursive: true });
} else {
	console.error(`\n${problems.join('\n')}\n\nOutput and results: ${folder}`);
	process.exitCode = 1;
}
