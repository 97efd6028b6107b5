// Runs the any-node suite with nodes of two versions in one cluster: those of this checkout, and of another commit.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const [commit = 'HEAD~1', ...suites] = process.argv.slice(2).filter((argument) => argument !== '--');
const folder = mkdtempSync(join(tmpdir(), 'holdfast-other-release-'));

function run(cwd, command, args, env = {}) {
	const { status } = spawnSync(command, args, { cwd, stdio: 'inherit', env: { ...process.env, ...env } });
	return status ?? 1;
}

function pnpm(args) {
	const { packageManager } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
	return run(folder, 'npx', ['-y', '-p', packageManager, 'pnpm', ...args]);
}

try {
	process.exitCode =
		run(root, 'git', ['worktree', 'add', '--detach', folder, commit]) ||
		pnpm(['install', '--frozen-lockfile', '--prefer-offline']) ||
		pnpm(['exec', 'turbo', 'run', 'build', '--filter=@holdfast/everything-server']) ||
		run(root, 'npx', ['vitest', 'run', ...(suites.length === 0 ? ['many-nodes/any-node'] : suites)], {
			OTHER_RELEASE: join(folder, 'apps/everything-server/dist/main.js'),
		});
} finally {
	run(root, 'git', ['worktree', 'remove', '--force', folder]);
	rmSync(folder, { recursive: true, force: true });
}
