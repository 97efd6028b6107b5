import { execFile } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { findProgram } from './find-program.js';
import { freePort } from './free-port.js';
import { Program } from './program.js';

/** A PostgreSQL that runs. */
export interface Postgres {
	readonly url: string;
	/** Ends it and removes its files. */
	close(): Promise<void>;
}

/** Nobody: PostgreSQL refuses to run as root. */
const nobody = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};

/** Starts a `postgres` with a folder of its own. Without the setting `fsync` it does not wait for the disk. */
export async function startPostgres(settings: Readonly<Record<string, string>> = {}): Promise<Postgres> {
	const program = findProgram('postgres', 'POSTGRES');
	const port = await freePort();
	const folder = mkdtempSync(join(tmpdir(), 'holdfast-postgres-'));
	if (nobody.uid !== undefined) chownSync(folder, nobody.uid, nobody.gid);
	const data = join(folder, 'data');
	const options = ['--auth=trust', '--username=postgres', '--no-sync', '--encoding=UTF8', '--locale=C', '-D', data];
	// What is on PATH may be a link to where its other programs are.
	const home = existsSync(join(dirname(program), 'initdb')) ? dirname(program) : dirname(realpathSync(program));
	await promisify(execFile)(join(home, 'initdb'), options, { ...nobody, cwd: folder });
	const own = { listen_addresses: '127.0.0.1', port, unix_socket_directories: '' };
	const args = Object.entries({ fsync: 'off', ...settings, ...own }).flatMap(([name, value]) => [
		'-c',
		`${name}=${value}`,
	]);
	const server = new Program(join(home, 'postgres'), ['-D', data, ...args], {
		...nobody,
		cwd: folder,
		lastSignal: 'SIGQUIT',
	});
	await server.until(() => accepts(server, port));
	return {
		url: `postgres://postgres@127.0.0.1:${port}/postgres`,
		async close() {
			await server.end('SIGQUIT');
			rmSync(folder, { recursive: true, force: true });
		},
	};
}

/** It listens a little before it is ready, and says when it is. */
function accepts(server: Program, port: number): Promise<true | undefined> {
	if (!server.output.includes('ready to accept connections')) return Promise.resolve(undefined);
	return new Promise((resolve) => {
		const socket = connect(port, '127.0.0.1', () => resolve(true));
		socket.once('error', () => resolve(undefined));
		socket.once('connect', () => socket.destroy());
	});
}
