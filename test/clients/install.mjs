// Gets the clients, and a Node that all of them run on.
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { cleanEnvironment, installApart } from '../../scripts/install-apart.mjs';

/** The oldest Node that all of them accept. */
const NODE_MAJOR = 24;
const folder = fileURLToPath(new URL('.', import.meta.url));

/** Installs the clients from their lockfile beside this file; `short`: only those that CI tries. */
export function installClients(short) {
	installApart(folder, ...(short ? ['--prod'] : []));
}

/** The file of a Node that is new enough for all of them. */
export function newerNode() {
	if (Number(process.versions.node.split('.')[0]) >= NODE_MAJOR) return process.execPath;
	const args = ['-y', '-p', `node@${NODE_MAJOR}`, '-c', 'node -p process.execPath'];
	return execFileSync('npx', args, { env: cleanEnvironment(), encoding: 'utf8' }).trim();
}
