import { cpus, loadavg } from 'node:os';
import { type Cores, describeCores } from './cores.js';
import { installedVersion } from './installed-version.js';
import type { MeasuredTable, Measurement } from './measurement.js';
import type { Plan } from './plan.js';

/** Returns the whole report in Markdown: where and how it was measured, the tables, and the failures. */
export function report(measurements: readonly Measurement[], plan: Plan, cores: Cores | undefined): string {
	const problems = measurements.flatMap((measurement) => measurement.problems);
	const parts = [
		'# Benchmark results',
		conditions(plan, cores),
		...(problems.length > 0 ? [`**This run does not count:**\n${bullets(problems)}`] : []),
		...measurements.flatMap(({ tables }) => tables.map(section)),
	];
	return `${parts.join('\n\n')}\n`;
}

function section({ title, markdown, note }: MeasuredTable): string {
	return [`## ${title}`, markdown, ...(note === undefined ? [] : [note])].join('\n\n');
}

function conditions(plan: Plan, cores: Cores | undefined): string {
	const packages = [
		`SDK v1 ${installedVersion('@modelcontextprotocol/sdk', '@modelcontextprotocol/sdk/server/mcp.js')}`,
		`SDK v2 ${installedVersion('@modelcontextprotocol/server')}`,
		`@hono/node-server ${installedVersion('@hono/node-server')}`,
		`tmcp ${installedVersion('tmcp')} with srvx ${installedVersion('srvx')}`,
	];
	const seconds = (ms: number) => `${ms / 1000} s`;
	return bullets([
		`Node ${process.versions.node} on ${cpus()[0]?.model.trim() ?? process.arch} (${process.platform}); ${packages.join(', ')}`,
		describeCores(cores),
		`interleaved rounds (calls: ${plan.rounds}, sessions: ${plan.sessionRounds}) of ${seconds(plan.measureMs)} each after ${seconds(plan.warmUpMs)} of warm-up; medians, and in parentheses the lowest and the highest ratio`,
		'ratios are to the runs of raw HTTP immediately before and after, within a round',
		`system load when the run ended: ${loadavg()
			.map((load) => load.toFixed(1))
			.join(', ')} (about 2 is the run itself; more is somebody else, and then only ratios can be trusted)`,
	]);
}

function bullets(lines: readonly string[]): string {
	return lines.map((line) => `- ${line}`).join('\n');
}
