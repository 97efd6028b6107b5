/** Profiles one server under load and reports where its time goes; `--help` lists the options. */
import { mkdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { CallTarget } from './call-target.js';
import { chooseCores } from './cores.js';
import { type Share, summarizeProfile } from './cpu-profile.js';
import { loadSessions, warmServer } from './measure-sessions.js';
import { fullPlan, type Plan } from './plan.js';
import { isServerKindName, type ServerKindName, serverKindNames } from './server-kinds.js';
import type { ServerProcess } from './server-process.js';
import { runCommand } from './usage-error.js';
import { type LoadResult, requireWrk } from './wrk.js';

const usage = `Usage: pnpm --filter @holdfast/benchmarks run profile <server> [options]
Servers: ${serverKindNames.join(', ')}
  --of <calls|sessions>  what to put on it (calls)
  --concurrency <n>      requests in flight (16)
  --seconds <n>          seconds under profile (6)
  --warm-up <n>          seconds of load before (${fullPlan.warmUpMs / 1000})
  --lines <n>            lines of each list (25)`;

const samplingMicros = 250;

const {
	values: options,
	positionals: [kind = ''],
} = parseArgs({
	allowPositionals: true,
	options: {
		help: { type: 'boolean', default: false },
		of: { type: 'string', default: 'calls' },
		concurrency: { type: 'string', default: '16' },
		seconds: { type: 'string', default: '6' },
		'warm-up': { type: 'string', default: String(fullPlan.warmUpMs / 1000) },
		lines: { type: 'string', default: '25' },
	},
});
const concurrency = Number(options.concurrency);

if (options.help || !isServerKindName(kind)) {
	console.log(usage);
	process.exitCode = options.help ? 0 : 1;
} else {
	await runCommand(() => profile(kind));
}

async function profile(name: ServerKindName): Promise<void> {
	requireWrk();
	const cores = chooseCores();
	const plan: Plan = {
		...fullPlan,
		kinds: [],
		warmUpMs: Number(options['warm-up']) * 1000,
		concurrency: [concurrency],
		openingClients: concurrency,
	};
	const durationMs = Number(options.seconds) * 1000;
	if (options.of === 'sessions') {
		await using server = await warmServer(name, plan, cores);
		await record(server, 'session', () => loadSessions(server, 'keep', concurrency, durationMs, cores));
	} else {
		await using target = await CallTarget.prepare(name, plan, cores);
		await record(target.server, 'call', () => target.load(concurrency, durationMs));
	}
}

async function record(server: ServerProcess, unit: string, load: () => Promise<LoadResult>): Promise<void> {
	const folder = new URL('../profiles/', import.meta.url);
	mkdirSync(folder, { recursive: true });
	const file = fileURLToPath(new URL(`${server.kind}-${options.of}-${concurrency}.cpuprofile`, folder));
	await server.startProfile(samplingMicros);
	const result = await load();
	await server.stopProfile(file);

	const { busyMicros, groups, functions, inclusive } = summarizeProfile(JSON.parse(readFileSync(file, 'utf8')));
	const each = (micros: number) => (micros / result.completed).toFixed(2);
	const print = (title: string, shares: readonly Share[]) => {
		console.log(`\n${title}`);
		for (const { name, micros } of shares.slice(0, Number(options.lines))) {
			console.log(`${((micros / busyMicros) * 100).toFixed(1).padStart(5)} %  ${each(micros).padStart(8)} µs  ${name}`);
		}
	};
	const speed = `${result.perSecond.toFixed(0)} ${unit}s/s`;
	console.log(`${server.kind}, concurrency ${concurrency}: ${speed} under profile, ${each(busyMicros)} µs of CPU each`);
	if (result.failed > 0) console.log(`${result.failed} requests failed, so this profile does not count`);
	print(`Self time by module, of each ${unit}`, groups);
	print('Self time by function', functions);
	print('Time with everything called', inclusive);
	console.log(`\nProfile for a viewer: benchmarks/profiles/${server.kind}-${options.of}-${concurrency}.cpuprofile`);
}
