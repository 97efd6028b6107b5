// Gets the clients, and a Node that all of them run on.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The oldest Node that all of them accept. */
const NODE_MAJOR = 24;
const folder = fileURLToPath(new URL('.', import.meta.url));

/** Installs the clients from their lockfile beside this file; `short`: only those that CI tries. */
export function installClients(short) {
	const { packageManager } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
	const command = ['pnpm', 'install', '--frozen-lockfile', ...(short ? ['--prod'] : [])];
	try {
		execFileSync('npx', ['-y', '-p', packageManager, ...command], {
			cwd: folder,
			env: cleanEnvironment(),
			stdio: 'pipe',
		});
	} catch (error) {
		throw new Error(`The clients cannot be installed.\n${error.stdout}\n${error.stderr}`);
	}
}

/** The file of a Node that is new enough for all of them. */
export function newerNode() {
	if (Number(process.versions.node.split('.')[0]) >= NODE_MAJOR) return process.execPath;
	const args = ['-y', '-p', `node@${NODE_MAJOR}`, '-c', 'node -p process.execPath'];
	return execFileSync('npx', args, { env: cleanEnvironment(), encoding: 'utf8' }).trim();
}

/** The environment without the settings of the package manager that called us, which npx would complain about. */
function cleanEnvironment() {
	const kept = /^npm_config_(registry|ca|cafile|cache)$/i;
	const entries = Object.entries(process.env).filter(([name]) => !/^npm_config_/i.test(name) || kept.test(name));
	return Object.fromEntries(entries);
}
