// Installs what only one program of this repository needs, from a lockfile of its own: `npm install` does not bring it.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** Runs `pnpm install` in `folder` with the pnpm that this repository names. Throws all that it said if it fails. */
export function installApart(folder, ...flags) {
	const { packageManager } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
	const command = ['-y', '-p', packageManager, 'pnpm', 'install', '--frozen-lockfile', ...flags];
	try {
		execFileSync('npx', command, { cwd: folder, env: cleanEnvironment(), stdio: 'pipe' });
	} catch (error) {
		throw new Error(`What ${folder} needs cannot be installed.\n${error.stdout}\n${error.stderr}`);
	}
}

/** The environment without the settings of the npm or pnpm that called us, which others read differently, or refuse. */
export function cleanEnvironment() {
	const kept = /^npm_config_(registry|ca|cafile|cache)$/i;
	const entries = Object.entries(process.env).filter(([name]) => !/^npm_config_/i.test(name) || kept.test(name));
	return Object.fromEntries(entries);
}
