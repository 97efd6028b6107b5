import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram } from './find-program.js';
import { accepts, freePort } from './free-port.js';
import { Program } from './program.js';

/** A balancer that runs. */
export interface Balancer {
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
export function startHaproxy(config: string, nodes: readonly number[]): Promise<Balancer> {
	const servers = nodes.map((node, n) => `\tserver node-${n + 1} 127.0.0.1:${node}\n`).join('');
	return start('haproxy', ['-db', '-f'], config, (text, port) =>
		text.replace(/^\tbind .*$/m, `\tbind 127.0.0.1:${port}`).replaceAll(/(?:^\tserver .*\n)+/gm, servers),
	);
}

/** Starts a Caddy with the file `config`, with the addresses of `nodes` (ports of 127.0.0.1), on a port of its own. */
export function startCaddy(config: string, nodes: readonly number[]): Promise<Balancer> {
	const addresses = nodes.map((node) => `127.0.0.1:${node}`).join(' ');
	return start('caddy', ['run', '--adapter', 'caddyfile', '--config'], config, (text, port) =>
		text
			.replace(/^:\d+ \{$/m, `http://127.0.0.1:${port} {\n\tbind 127.0.0.1`)
			.replace(/^(\s*to ).*$/m, `$1${addresses}`),
	);
}

async function start(
	name: string,
	args: readonly string[],
	config: string,
	fillIn: (text: string, port: number) => string,
): Promise<Balancer> {
	const port = await freePort();
	const folder = mkdtempSync(join(tmpdir(), `holdfast-${name}-`));
	const file = join(folder, 'config');
	writeFileSync(file, fillIn(readFileSync(config, 'utf8'), port));
	// Where it keeps what it writes by itself.
	const env = { HOME: folder, XDG_CONFIG_HOME: folder, XDG_DATA_HOME: folder };
	const program = new Program(findProgram(name, name.toUpperCase()), [...args, file], { env });
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
