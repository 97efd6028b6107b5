import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** The processor cores of a run: one for the measured server, another for the load generator. */
export interface Cores {
	readonly server: number;
	readonly generator: number;
}

/**
 * Returns two cores available to this process, on different physical cores if possible. Returns `undefined` when
 * `taskset` is missing or there is only one core; then nothing is pinned.
 */
export function chooseCores(): Cores | undefined {
	if (spawnSync('taskset', ['--version']).error) return undefined;
	const [server, ...others] = allowedCores();
	if (server === undefined) return undefined;
	const siblings = siblingsOf(server);
	const generator = others.find((core) => !siblings.includes(core)) ?? others[0];
	return generator === undefined ? undefined : { server, generator };
}

/** Returns the command line that runs `command` on `core`, or anywhere if it is `undefined`. */
export function pinned(core: number | undefined, command: string, args: readonly string[]): [string, string[]] {
	return core === undefined ? [command, [...args]] : ['taskset', ['-c', String(core), command, ...args]];
}

/** Describes where a run takes place, for the reader of its table. */
export function describeCores(cores: Cores | undefined): string {
	if (!cores) return '**not pinned** (no `taskset`, or one core): server and load generator disturb each other';
	const shared = siblingsOf(cores.server).includes(cores.generator) ? ', **two threads of one physical core**' : '';
	return `server pinned to core ${cores.server}, load generator to core ${cores.generator}${shared}`;
}

function allowedCores(): number[] {
	const list = /^Cpus_allowed_list:\s*(\S+)/m.exec(readText('/proc/self/status'))?.[1];
	return list ? coresIn(list) : [];
}

function siblingsOf(core: number): number[] {
	return coresIn(readText(`/sys/devices/system/cpu/cpu${core}/topology/thread_siblings_list`).trim());
}

/** Parses the kernel's notation, `0-2,5`. */
function coresIn(list: string): number[] {
	return list.split(',').flatMap((range) => {
		const [first, last = first] = range.split('-').map(Number);
		if (first === undefined || last === undefined || range === '') return [];
		return Array.from({ length: last - first + 1 }, (_, index) => first + index);
	});
}

function readText(file: string): string {
	try {
		return readFileSync(file, 'utf8');
	} catch {
		return '';
	}
}
