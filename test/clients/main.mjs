// Tries clients that others wrote against three nodes behind a balancer; ends with 1 unless all live through it.
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { startCluster } from './cluster.mjs';
import { installClients, newerNode } from './install.mjs';
import { toMarkdown, wayName } from './report.mjs';
import { tryClients } from './trial.mjs';

/** How many clients run at once. */
const BATCH = 10;
/** How long the short form may take, in milliseconds. */
const SHORT_LIMIT_MS = 4 * 60_000;

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(1));

const { values, positionals: wanted } = parseArgs({
	args: process.argv.slice(2).filter((argument) => argument !== '--'),
	allowPositionals: true,
	options: {
		// Only the clients that CI tries.
		short: { type: 'boolean', default: false },
		// The official SDK of the server.
		sdk: { type: 'string', default: 'v1' },
		// Writes the table of the documentation.
		write: { type: 'boolean', default: false },
	},
});

installClients(values.short);
if (values.short) {
	setTimeout(() => {
		console.log(`It took longer than ${SHORT_LIMIT_MS / 1_000} s.`);
		process.exit(1);
	}, SHORT_LIMIT_MS).unref();
}
const rows = await readRows();
const node = newerNode();
const cluster = await startCluster(['--sdk', values.sdk, '--max-sessions-per-principal', '0']);
const results = [];
let output;
let ended;
try {
	for (let at = 0; at < rows.length; at += BATCH) {
		for (const result of await tryClients(rows.slice(at, at + BATCH), cluster, node)) {
			results.push(result);
			console.log(`${result.name} ${result.version}, ${wayName(result.way)}: ${result.failure ?? 'passed'}`);
		}
	}
} finally {
	({ output } = cluster);
	ended = cluster.nodes.filter(({ running }) => !running).length;
	await cluster.close();
}
if (values.write) writeFileSync(new URL('RESULTS.md', import.meta.url), toMarkdown(results));
const failed = results.filter(({ failure }) => failure !== undefined).length;
if (failed + ended > 0) console.log(output);
if (ended > 0) console.log(`${ended} nodes ended by themselves.`);
console.log(`${results.length - failed} passed, ${failed} failed`);
process.exit(failed + ended === 0 && results.length > 0 ? 0 : 1);

/** Every client that is wanted, once for each way in which it connects. Its key names its driver and a version. */
async function readRows() {
	const { dependencies, devDependencies } = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8'));
	const packages = { ...dependencies, ...(!values.short && devDependencies) };
	const rows = [];
	for (const [alias, source] of Object.entries(packages)) {
		if (wanted.length > 0 && !wanted.some((text) => alias.includes(text))) continue;
		const [, name, version] = /^npm:(.+)@(.+)$/.exec(source) ?? [];
		// What is no alias is what a client wants beside it.
		if (name === undefined) continue;
		const driver = /^(.*)-[\d.]+$/.exec(alias)[1];
		const { ways, session } = await import(`./drivers/${driver}.mjs`);
		rows.push(...ways.map((way) => ({ alias, name, version, driver, way, session })));
	}
	return rows.sort((a, b) => (a.name === b.name ? byVersion(a, b) : a.name < b.name ? -1 : 1));
}

function byVersion(a, b) {
	return a.version.localeCompare(b.version, 'en', { numeric: true });
}
