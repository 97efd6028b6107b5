import { existsSync, readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { SummaryReporter } from './scripts/summary-reporter.ts';

const root = fileURLToPath(new URL('.', import.meta.url));

/** What `npm test` leaves to steps of their own in CI: each of them wants the machine, or a process, to itself. */
const apart = {
	packaging: ['test/packaging.test.ts'],
	checkers: ['test/{calls,history}/*.test.ts', 'packages/session-manager-test-kit/test/{mutants,runners}.test.ts'],
	console: ['packages/console/test/browser/*.test.ts'],
	memory: ['packages/*/test/**/{*leaks*,allocations,stream-objects}.test.ts', 'test/attacks/initialize.test.ts'],
	engines: [
		'apps/everything-server/test/many-nodes/{postgres,postgres-outage,sqlite}.test.ts',
		'packages/session-manager-postgres/test/*outages.test.ts',
		'packages/session-manager-redis/test/{contract-cluster,contract-sentinel,fail-over,topologies}.test.ts',
	],
};

/** Tests of packages that measure what their process says once, or end it: each has one to itself. */
const alone = ['packages/*/test/**/{warnings,kills,processes}.test.ts'];

/** Every folder that has a `test` folder is a project, named after its path. */
const projects = ['.', 'benchmarks', ...['packages', 'apps', 'examples'].flatMap(children)].filter((folder) =>
	existsSync(`${root}${folder}/test`),
);

function children(room: string): string[] {
	if (!existsSync(`${root}${room}`)) return [];
	return readdirSync(`${root}${room}`).map((name) => `${room}/${name}`);
}

export default defineConfig({
	resolve: {
		// Tests read the packages' sources, so they need no build; what they spawn as a process runs `dist`.
		alias: readdirSync(`${root}packages`).flatMap((name) => [
			{ find: new RegExp(`^@holdfast/${name}$`), replacement: `${root}packages/${name}/src/index.ts` },
			{ find: new RegExp(`^@holdfast/${name}/([\\w-]+)$`), replacement: `${root}packages/${name}/src/$1.ts` },
		]),
	},
	test: {
		allowOnly: false,
		testTimeout: 30_000,
		hookTimeout: 30_000,
		// Most tests wait for processes more than they compute.
		maxWorkers: Math.max(2, availableParallelism() - 1),
		reporters: ['default', new SummaryReporter()],
		projects: [
			...projects.map((folder) => ({
				extends: true as const,
				test: {
					name: folder === '.' ? 'workspace' : folder,
					include: [join(folder, 'test/**/*.test.ts')],
					// What is installed below `test` brings tests of its own.
					exclude: ['**/node_modules/**', ...Object.values(apart).flat(), ...alone],
					// To start a process for every file, and load everything again, takes longer than most of them.
					...(folder.startsWith('packages/') && { isolate: false }),
				},
			})),
			{ extends: true as const, test: { name: 'packages, alone', include: alone } },
			...Object.entries(apart).map(([name, include]) => ({
				extends: true as const,
				test: { name: `apart: ${name}`, include },
			})),
		],
	},
});
