import { parseArgs } from 'node:util';
import { balancers, type RestartOptions, runRestarts, stores } from './run.ts';

/** What is run where the command line names neither: each balancer once, and each store. */
const pairs: readonly Pick<RestartOptions, 'balancer' | 'store'>[] = [
	{ balancer: 'nginx', store: 'redis' },
	{ balancer: 'haproxy', store: 'postgres' },
	{ balancer: 'caddy', store: 'redis' },
];

/** Runs what the command line asks for; answers the exit code. */
export async function main(args: readonly string[]): Promise<number> {
	const { values } = parseArgs({
		args: args.filter((argument) => argument !== '--'),
		options: {
			restarts: { type: 'string', default: '3' },
			calls: { type: 'string', default: '0' },
			clients: { type: 'string', default: '12' },
			balancer: { type: 'string' },
			store: { type: 'string' },
		},
	});
	const { balancer, store } = values;
	const chosen =
		balancer === undefined && store === undefined
			? pairs
			: [{ balancer: oneOf(balancers, balancer ?? 'nginx'), store: oneOf(stores, store ?? 'redis') }];
	let failed = 0;
	for (const pair of chosen) {
		const begunAt = performance.now();
		const seconds = () => Math.round((performance.now() - begunAt) / 1_000);
		console.log(`Behind ${pair.balancer}, on ${pair.store}:`);
		const { failures, ...counts } = await runRestarts({
			...pair,
			restarts: Number(values.restarts),
			calls: Number(values.calls),
			clients: Number(values.clients),
			onrestart: (node, calls, lost) =>
				console.log(`${seconds()} s: node ${node} is back; ${calls} calls so far, ${lost} failed`),
		});
		for (const failure of failures.slice(0, 20)) console.log(failure);
		console.log(JSON.stringify({ ...pair, ...counts, failed: failures.length, seconds: seconds() }, null, '\t'));
		failed += failures.length;
	}
	return failed === 0 ? 0 : 1;
}

function oneOf<Name extends string>(all: Readonly<Record<Name, unknown>>, name: string): Name {
	if (Object.hasOwn(all, name)) return name as Name;
	throw new Error(`There is no ${name}, but ${Object.keys(all).join(' and ')}.`);
}
