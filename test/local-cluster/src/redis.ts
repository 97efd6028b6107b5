import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram } from './find-program.js';
import { freePort } from './free-port.js';
import { Program } from './program.js';

/** A Redis that runs. */
export interface Redis {
	readonly url: string;
	/** Ends it and removes its files. */
	close(): Promise<void>;
}

/** Starts a `redis-server` that keeps everything in memory. */
export async function startRedis(): Promise<Redis> {
	const port = await freePort();
	const folder = mkdtempSync(join(tmpdir(), 'holdfast-redis-'));
	const settings = { port, bind: '127.0.0.1', dir: folder, save: '', 'maxmemory-policy': 'noeviction' };
	const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
	const program = new Program(findProgram('redis-server', 'REDIS_SERVER'), args);
	await program.until(() => answers(port));
	return {
		url: `redis://127.0.0.1:${port}`,
		async close() {
			await program.end('SIGKILL');
			rmSync(folder, { recursive: true, force: true });
		},
	};
}

function answers(port: number): Promise<true | undefined> {
	return new Promise((resolve) => {
		const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'));
		const done = (answer?: true) => {
			socket.destroy();
			resolve(answer);
		};
		socket.once('data', (data) => done(data.toString().startsWith('+PONG') ? true : undefined));
		socket.once('error', () => done());
	});
}
