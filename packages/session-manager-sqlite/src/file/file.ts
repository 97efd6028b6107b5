import { closeSync, openSync, realpathSync, statSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';

/** Who may read and write what we make: its owner alone. */
export const FILE_MODE = 0o600;

/** Network file systems by the number that Linux has for them. They share no memory between hosts, which WAL needs. */
const networks: Readonly<Record<number, string>> = Object.freeze({
	26985: 'NFS',
	20859: 'SMB',
	4283649346: 'SMB',
	4266872130: 'SMB',
	16914839: '9P',
	12805120: 'Ceph',
	1397113167: 'AFS',
	1799439955: 'AFS',
	198183888: 'Lustre',
	1196443219: 'GPFS',
	1952539503: 'OCFS2',
	18225520: 'GFS2',
});

/** Returns the name of the network file system of this number; `undefined` for any other. */
export function networkOf(type: number): string | undefined {
	return networks[type];
}

/**
 * Returns what tells the file at `path` from another that was put there; `undefined` where there is none, or none that
 * this process can reach.
 */
export function identityOf(path: string): string | undefined {
	try {
		const { dev, ino } = statSync(path);
		return `${dev} ${ino}`;
	} catch {
		return undefined;
	}
}

/** Returns why the file at `path` cannot be reached; `undefined` where it can be, or is not there. */
export function obstacleOf(path: string): Error | undefined {
	try {
		statSync(path, { throwIfNoEntry: false });
		return undefined;
	} catch (error) {
		return error as Error;
	}
}

/** Returns how many bytes the file at `path` has; 0 where there is none, or none that this process can reach. */
export function sizeOf(path: string): number {
	try {
		return statSync(path).size;
	} catch {
		return 0;
	}
}

/**
 * Makes the file if there is none, for its owner alone. Rejects where its folder does not exist or is on a network, and
 * where it is a folder itself. The files that SQLite puts beside it have the same permissions.
 */
export async function makeFile(path: string): Promise<void> {
	const folder = dirname(resolve(path));
	if (statSync(folder, { throwIfNoEntry: false }) === undefined)
		throw new Error(`The folder ${folder} of ${path} does not exist: make it first.`);
	if (isFolder(path)) throw new Error(`${path} is a folder: name a file in it, such as ${join(path, 'sessions.db')}.`);
	if (process.platform === 'linux') {
		const network = networkOf((await statfs(folder)).type);
		if (network !== undefined) {
			throw new Error(`${path} is on a network (${network}), where SQLite loses data: put it on a disk of this host.`);
		}
	}
	try {
		closeSync(openSync(path, 'wx', FILE_MODE));
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
	}
}

/** Whether there is a folder at `path`. */
function isFolder(path: string): boolean {
	return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** Returns the folder of the files by which processes find each other. */
export function processFolder(path: string): string {
	const real = realpathSync(path);
	return join(dirname(real), `${basename(real)}-processes`);
}
