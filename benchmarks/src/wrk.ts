import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Cores, pinned } from './cores.js';
import { processCpuMicros } from './process-cpu.js';
import type { ServerProcess } from './server-process.js';
import { UsageError } from './usage-error.js';

/** One run of the load generator. */
export interface Load {
	/** A script in `lua/` and its arguments. */
	readonly script: 'calls' | 'sessions';
	readonly args: readonly string[];
	readonly connections: number;
	readonly threads: number;
	readonly durationMs: number;
}

/** What one run of the load generator measured. */
export interface LoadResult {
	/** Calls with a response, or opened sessions. */
	readonly completed: number;
	readonly perSecond: number;
	/** Latency of one HTTP request, in milliseconds. */
	readonly p50Ms: number;
	readonly p99Ms: number;
	/** Bytes that the server sent. */
	readonly bytes: number;
	/** Refused connections, timeouts, unsuccessful statuses, and responses that a check found wrong. */
	readonly failed: number;
	/** The server's CPU time per completion, in microseconds. */
	readonly cpuMicros: number | undefined;
	/** The fraction of a core that the server used. Well below 1 at full load means that something else used its core. */
	readonly serverUse: number | undefined;
	/** The fraction of a core that the generator used. Near 1 means that the generator was the limit, not the server. */
	readonly generatorUse: number | undefined;
}

const wrk = process.env.WRK || 'wrk';
const graceMs = 10_000;

/** Throws an error that says what to do when there is no load generator. */
export function requireWrk(): void {
	if (!spawnSync(wrk, ['--version']).error) return;
	throw new UsageError(
		`${wrk} is needed: install it (Debian: apt-get install wrk), or name its file in the variable WRK.`,
	);
}

/** Loads a server with `wrk` (found on PATH, or named by the variable WRK), on the core for load generators. */
export async function runWrk(server: ServerProcess, load: Load, cores: Cores | undefined): Promise<LoadResult> {
	const script = fileURLToPath(new URL(`../lua/${load.script}.lua`, import.meta.url));
	const [command, args] = pinned(cores?.generator, wrk, [
		`-t${load.threads}`,
		`-c${load.connections}`,
		// wrk counts in whole seconds, which would be too late; a signal stops it on time.
		`-d${Math.ceil((load.durationMs + graceMs) / 1000)}s`,
		// Node accepts one connection per turn of its loop, so the last of 64 may wait for seconds on a slow server.
		'--timeout',
		'10s',
		'--latency',
		'-s',
		script,
		`http://127.0.0.1:${server.port}/mcp`,
		'--',
		...load.args,
	]);
	const cpuBefore = server.cpuMicros();
	const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
	let output = '';
	let began = () => {};
	const ready = new Promise<void>((resolve) => {
		began = resolve;
	});
	for (const stream of [child.stdout, child.stderr]) {
		stream.setEncoding('utf8').on('data', (text: string) => {
			output += text;
			if (output.includes('READY')) began();
		});
	}
	const closed = once(child, 'close');
	// A signal that comes before its scripts are loaded ends it without a result.
	await Promise.race([ready, closed]);
	await Promise.race([delay(load.durationMs), closed]);
	const generatorMicros = child.pid === undefined ? undefined : processCpuMicros(child.pid);
	child.kill('SIGINT');
	await closed;
	const cpuAfter = server.cpuMicros();
	const counted = /^RESULT (.*)$/m.exec(output)?.[1];
	if (counted === undefined) throw new Error(`The load generator gave no result: ${output.trim() || 'no output'}`);
	const { completed, micros, p50Micros, p99Micros, bytes, failed }: WrkOutput = JSON.parse(counted);
	const cpuMicros = cpuBefore === undefined || cpuAfter === undefined ? undefined : cpuAfter - cpuBefore;
	return {
		completed,
		perSecond: (completed / micros) * 1e6,
		p50Ms: p50Micros / 1000,
		p99Ms: p99Micros / 1000,
		bytes,
		failed,
		cpuMicros: cpuMicros === undefined ? undefined : cpuMicros / completed,
		serverUse: cpuMicros === undefined ? undefined : cpuMicros / micros,
		generatorUse: generatorMicros === undefined ? undefined : generatorMicros / (load.durationMs * 1000),
	};
}

/** The output of the scripts in `lua/`. */
interface WrkOutput {
	readonly completed: number;
	readonly micros: number;
	readonly p50Micros: number;
	readonly p99Micros: number;
	readonly bytes: number;
	readonly failed: number;
}
