import type { Profiler } from 'node:inspector';

type Frame = Profiler.ProfileNode;

/** One line of a profile report: a name and its CPU time in microseconds. */
export interface Share {
	readonly name: string;
	readonly micros: number;
}

/** Where a process spent its time. Each list is in descending order. */
export interface ProfileSummary {
	/** All time that was not idle; the shares of `groups`, and those of `functions`, add up to it. */
	readonly busyMicros: number;
	/** Self time by package or by part of Node. */
	readonly groups: readonly Share[];
	/** Self time by function. */
	readonly functions: readonly Share[];
	/** Time in a function and everything it called; these overlap. */
	readonly inclusive: readonly Share[];
}

/** Sums up a CPU profile. */
export function summarizeProfile(profile: Profiler.Profile): ProfileSummary {
	const frames = new Map(profile.nodes.map((frame) => [frame.id, frame]));
	const parents = new Map(
		profile.nodes.flatMap((frame) => frame.children?.map((child) => [child, frame] as const) ?? []),
	);
	const self = selfTime(profile);
	const groups = new Shares();
	const functions = new Shares();
	const inclusive = new Shares();
	let busyMicros = 0;
	for (const [id, micros] of self) {
		const frame = frames.get(id);
		if (!frame || frame.callFrame.functionName === '(idle)') continue;
		busyMicros += micros;
		groups.add(groupOf(frame), micros);
		functions.add(nameOf(frame), micros);
		const path = new Set<string>();
		for (let at: Frame | undefined = frame; at; at = parents.get(at.id)) path.add(nameOf(at));
		for (const name of path) if (!name.startsWith('(')) inclusive.add(name, micros);
	}
	return { busyMicros, groups: groups.sorted(), functions: functions.sorted(), inclusive: inclusive.sorted() };
}

class Shares {
	readonly #micros = new Map<string, number>();

	add(name: string, micros: number): void {
		this.#micros.set(name, (this.#micros.get(name) ?? 0) + micros);
	}

	sorted(): Share[] {
		return [...this.#micros].map(([name, micros]) => ({ name, micros })).sort((a, b) => b.micros - a.micros);
	}
}

function selfTime({ samples = [], timeDeltas = [] }: Profiler.Profile): Map<number, number> {
	const self = new Map<number, number>();
	for (const [index, id] of samples.entries()) {
		// A delta is the time before its sample, so the time of a sample is the next delta.
		self.set(id, (self.get(id) ?? 0) + (timeDeltas[index + 1] ?? 0));
	}
	return self;
}

function nameOf({ callFrame: { functionName, url, lineNumber } }: Frame): string {
	const name = functionName || '(anonymous)';
	return url ? `${name} ${shortUrl(url)}:${lineNumber + 1}` : name;
}

function shortUrl(url: string): string {
	const installed = /^.*\/node_modules\/(.*)$/.exec(url)?.[1];
	return installed ?? url.replace(/^.*\/([^/]+)\/dist\//, '@holdfast/$1/');
}

/** Parts of Node, by the address of their source; the first match counts. */
const partsOfNode: readonly (readonly [RegExp, string])[] = [
	[/webstreams|js_transferable/, 'Node: web streams'],
	[/undici|fetch/, 'Node: undici (Request, Response, Headers)'],
	[/abort|event_target/, 'Node: AbortSignal, EventTarget'],
	[/_http|node:net|stream_base|internal\/http/, 'Node: http, net'],
	[/internal\/streams|node:stream/, 'Node: streams'],
	[/async_hooks|async_local|promise_hooks/, 'Node: AsyncLocalStorage, async hooks'],
	[/process\/task_queues|promises/, 'Node: task queues'],
	[/timers/, 'Node: timers'],
	[/url/, 'Node: URL'],
	[/buffer|encoding/, 'Node: buffers, encodings'],
	[/crypto/, 'Node: crypto'],
];

function groupOf({ callFrame: { functionName, url } }: Frame): string {
	if (!url) return groupOfBuiltin(functionName);
	if (url.startsWith('node:')) return partsOfNode.find(([pattern]) => pattern.test(url))?.[1] ?? 'Node: other';
	const installed = /^.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1];
	if (installed) return installed;
	return `@holdfast/${/\/([^/]+)\/dist\//.exec(url)?.[1] ?? 'other'}`;
}

function groupOfBuiltin(name: string): string {
	if (name === '(garbage collector)') return 'garbage collection';
	if (name === '(program)') return 'native: event loop, HTTP parser, reads';
	if (/^(write|shutdown|writev?(Utf8|Latin1|Ascii|Ucs2)?(String|Buffer)?)$/.test(name)) return 'native: socket writes';
	if (/^(parse|stringify)$/.test(name)) return 'JSON';
	if (name === 'runMicrotasks') return 'native: microtask loop';
	return 'native: V8 and C++ builtins';
}
