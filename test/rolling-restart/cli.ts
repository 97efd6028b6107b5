import { parseArgs } from 'node:util';
import { runRestarts } from './run.ts';

/** Runs what the command line asks for; answers the exit code. */
export async function main(args: readonly string[]): Promise<number> {
	const { values } = parseArgs({
		args: args.filter((argument) => argument !== '--'),
		options: {
			restarts: { type: 'string', default: '3' },
			calls: { type: 'string', default: '0' },
			clients: { type: 'string', default: '12' },
		},
	});
	const begunAt = performance.now();
	const seconds = () => Math.round((performance.now() - begunAt) / 1_000);
	const { failures, ...counts } = await runRestarts({
		restarts: Number(values.restarts),
		calls: Number(values.calls),
		clients: Number(values.clients),
		onrestart: (node, calls, failed) =>
			console.log(`${seconds()} s: node ${node} is back; ${calls} calls so far, ${failed} failed`),
	});
	for (const failure of failures.slice(0, 20)) console.log(failure);
	console.log(JSON.stringify({ ...counts, failed: failures.length, seconds: seconds() }, null, '\t'));
	return failures.length === 0 ? 0 : 1;
}
