import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram } from './find-program.js';
import { accepts, freePort } from './free-port.js';
import { Program } from './program.js';

/** An HAProxy that runs. */
export interface Haproxy {
	readonly port: number;
	/** The endpoint of the nodes behind it. */
	readonly url: string;
	/** Ends it and removes its files. */
	close(): Promise<void>;
}

/**
 * Starts an HAProxy with the file `config`, with the addresses of `nodes` (ports of 127.0.0.1) in place of its `server`
 * lines, on a port of its own.
 */
export async function startHaproxy(config: string, nodes: readonly number[]): Promise<Haproxy> {
	const port = await freePort();
	const folder = mkdtempSync(join(tmpdir(), 'holdfast-haproxy-'));
	const file = join(folder, 'haproxy.cfg');
	writeFileSync(file, fillIn(readFileSync(config, 'utf8'), port, nodes));
	const program = new Program(findProgram('haproxy', 'HAPROXY'), ['-db', '-f', file]);
	await program.until(() => accepts(port));
	return {
		port,
		url: `http://127.0.0.1:${port}/mcp`,
		async close() {
			await program.end('SIGTERM');
			rmSync(folder, { recursive: true, force: true });
		},
	};
}

function fillIn(config: string, port: number, nodes: readonly number[]): string {
	const servers = nodes.map((node, n) => `\tserver node-${n + 1} 127.0.0.1:${node}\n`).join('');
	return config.replace(/^\tbind .*$/m, `\tbind 127.0.0.1:${port}`).replaceAll(/(?:^\tserver .*\n)+/gm, servers);
}
