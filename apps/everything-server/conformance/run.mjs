// Runs the official conformance suite against the everything-server of each SDK; ends with 1 unless everything passed.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { runSuite, suites } from './suites.mjs';

// Adaptive answers are JSON where the suite would also look into a stream, so one server answers with streams only.
const servers = [
	['--sdk', 'v1'],
	['--sdk', 'v2'],
	['--sdk', 'v1', '--response-mode', 'sse'],
];

const main = fileURLToPath(new URL('../dist/main.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'holdfast-conformance-'));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(1));

const widths = [30, 42, 10, 7, 7, 9];
const print = (...cells) =>
	console.log(
		cells
			.map((cell, at) => String(cell).padEnd(widths[at]))
			.join(' ')
			.trimEnd(),
	);

print('everything-server', 'conformance', 'scenarios', 'passed', 'failed', 'warnings');
const problems = [];
for (const [server, args] of servers.entries()) {
	await withServer(args, async (url) => {
		for (const [index, suite] of suites.entries()) {
			const where = join(folder, `${server + 1}-${index + 1}`);
			mkdirSync(join(where, 'results'), { recursive: true });
			const outcome = await runSuite(suite, url, where);
			const names = [args.join(' '), `${suite.version} ${suite.args.at(-1)}`];
			print(...names, outcome.scenarios, outcome.passed, outcome.failed, outcome.warnings);
			problems.push(...outcome.problems.map((problem) => `${names.join(', ')}: ${problem}`));
		}
	});
}
if (problems.length === 0) {
	rmSync(folder, { recursive: true });
} else {
	console.error(`\n${problems.join('\n')}\n\nOutput and results: ${folder}`);
	process.exitCode = 1;
}

/** Runs `use` with the address of an everything-server that was started with `args`, and ends the server afterwards. */
async function withServer(args, use) {
	const child = spawn(process.execPath, [main, '--port', '0', ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
	const end = () => child.kill('SIGKILL');
	process.once('exit', end);
	try {
		const exited = once(child, 'exit');
		const port = await Promise.race([listening(child), exited.then(() => undefined)]);
		if (port === undefined) throw new Error('The everything-server ended before it listened.');
		// By this name, and no other, the suite tests protection against DNS rebinding.
		await use(`http://localhost:${port}/mcp`);
		child.kill('SIGTERM');
		const [code] = await exited;
		if (code !== 0) problems.push(`everything-server ${args.join(' ')}: ended with code ${code} on SIGTERM`);
	} finally {
		end();
		process.off('exit', end);
	}
}

async function listening(child) {
	for await (const line of createInterface({ input: child.stdout })) {
		const port = /http:\/\/\S+:(\d+)\//.exec(line)?.[1];
		if (port !== undefined) return port;
	}
	return undefined;
}
