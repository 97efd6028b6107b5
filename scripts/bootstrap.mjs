// What `npm start`, `npm test`, `npm run examples` and `npm run bench` run on a machine that has only Node and npm: it
// installs the
// workspace with the pnpm this repository names, builds it, and runs the task. It imports nothing but Node.
import { readFileSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { exitCode, startGroup } from './child.mjs';
import { cleanEnvironment } from './install-apart.mjs';
import { serve } from './serve.mjs';
import { provide } from './services.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const manifest = JSON.parse(readFileSync(`${root}package.json`, 'utf8'));

/** Each task: the programs it needs, and what it does once the workspace is installed. */
const tasks = {
	start: {
		services: [],
		async run(args, env) {
			return (await pnpm(['run build --filter=@holdfast/everything-server'], env)) || serve(root, args, env);
		},
	},
	test: {
		services: ['nginx', 'postgres', 'redis-server'],
		async run(args, env) {
			rmSync(summaryFile, { force: true });
			const code = await pnpm(['run build', `exec vitest run --project='!apart*' ${args.map(quote).join(' ')}`], env);
			printSummary();
			return code;
		},
	},
	console: {
		services: ['chromium', 'redis-server'],
		run(args, env) {
			const project = "exec vitest run --project='apart: console' --reporter=default";
			return pnpm(['run build --filter=@holdfast/everything-server', `${project} ${args.map(quote).join(' ')}`], env);
		},
	},
	'rolling-restart': {
		services: ['caddy', 'haproxy', 'nginx', 'postgres', 'redis-server'],
		run(args, env) {
			const built = 'run build --filter=@holdfast/everything-server --filter=@holdfast/local-cluster';
			return pnpm([built, `exec node test/rolling-restart/main.mjs ${args.map(quote).join(' ')}`], env);
		},
	},
	examples: {
		services: ['nats-server', 'nginx', 'postgres', 'redis-server'],
		run(args, env) {
			// Names of examples, and what turbo takes.
			const names = args.filter((argument) => !argument.startsWith('-'));
			const filters = (names.length === 0 ? ['*'] : names).map((name) => `--filter=${quote(`./examples/${name}`)}`);
			const others = args.filter((argument) => argument.startsWith('-')).map(quote);
			return pnpm([`exec turbo run check ${[...filters, ...others].join(' ')}`], env);
		},
	},
	bench: {
		services: ['postgres', 'redis-server', 'wrk'],
		run(args, env) {
			const bench = `--filter @holdfast/benchmarks run bench ${args.map(quote).join(' ')}`;
			return pnpm(['run build --filter=@holdfast/benchmarks', bench], env);
		},
	},
};

const summaryFile = `${root}.cache/test-summary.txt`;

/** Repeats vitest's own count as the last line, whatever else was printed meanwhile. */
function printSummary() {
	try {
		console.log(readFileSync(summaryFile, 'utf8').trim());
	} catch {
		console.log('No test was counted: what went wrong stands above.');
	}
}

/**
 * Installs from the lockfile, then runs pnpm commands one after another; gives the exit code of the first that fails.
 */
function pnpm(commands, env) {
	const line = ['install --frozen-lockfile', ...commands].map((command) => `pnpm ${command}`).join(' && ');
	const npx = ['-y', '-p', manifest.packageManager, '-c', line];
	return exitCode(startGroup('npx', npx, { cwd: root, env, stdio: ['ignore', 'inherit', 'inherit'] }));
}

function quote(argument) {
	return `'${argument.replaceAll("'", "'\\''")}'`;
}

function requireNode(range) {
	const wanted = range.replace('>=', '').split('.').map(Number);
	const [major, minor] = process.versions.node.split('.').map(Number);
	if (major > wanted[0] || (major === wanted[0] && minor >= wanted[1])) return;
	throw new Error(
		`Holdfast needs Node ${range}, and this is ${process.versions.node}. Install a newer one from nodejs.org.`,
	);
}

const [name, ...args] = process.argv.slice(2);
try {
	requireNode(manifest.engines.node);
	const task = tasks[name];
	if (!task) throw new Error(`Unknown task ${name}. There are: ${Object.keys(tasks).join(', ')}.`);
	if (name === 'examples') {
		const programs = task.services.join(', ');
		console.log(`This installs npm packages into node_modules, and what is missing of ${programs}.`);
	}
	process.exitCode = await task.run(
		args,
		provide(task.services, root, { ...cleanEnvironment(), TURBO_TELEMETRY_DISABLED: '1' }),
	);
} catch (error) {
	console.error(error.message);
	process.exitCode = 1;
}
