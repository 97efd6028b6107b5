import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { findProgram } from './find-program.js';
import { Program } from './program.js';

/** A NATS server that runs. */
export interface Nats {
	readonly url: string;
	/** Ends it with -9. */
	stop(): Promise<void>;
	/** Starts it again at its address, with what it had stored. */
	start(): Promise<void>;
	/** Ends it and removes its files. */
	close(): Promise<void>;
}

/**
 * Starts a `nats-server` with JetStream, which keeps its files in a folder of its own, with `config` among its
 * settings.
 */
export async function startNats(config = ''): Promise<Nats> {
	const file = findProgram('nats-server', 'NATS_SERVER');
	const folder = mkdtempSync(join(tmpdir(), 'holdfast-nats-'));
	const configFile = join(folder, 'nats.conf');
	writeFileSync(configFile, `jetstream { store_dir: "${folder}" }\n${config}`);
	const run = async (port: number) => {
		// Port -1 is a free one, which the server writes into a file named after itself.
		const args = ['--config', configFile, '--addr', '127.0.0.1', '--port', `${port}`, '--ports_file_dir', folder];
		const program = new Program(file, args);
		const ports = join(folder, `${basename(file)}_${program.pid}.ports`);
		return { program, url: await program.until(() => urlIn(ports)) };
	};
	let { program, url } = await run(-1);
	return {
		url,
		async stop() {
			await program.end('SIGKILL');
		},
		async start() {
			({ program, url } = await run(Number(new URL(url).port)));
		},
		async close() {
			await program.end('SIGKILL');
			rmSync(folder, { recursive: true, force: true });
		},
	};
}

/** The address in a file that may not be there yet, or not yet whole. */
function urlIn(file: string): string | undefined {
	if (!existsSync(file)) return undefined;
	return /nats:\/\/[^"]+/.exec(readFileSync(file, 'utf8'))?.[0];
}
