import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram } from './find-program.js';
import { accepts, freePort } from './free-port.js';
import { Program } from './program.js';

/** An nginx that runs. */
export interface Nginx {
	readonly port: number;
	/** The endpoint of the nodes behind it. */
	readonly url: string;
	/** The last that it wrote: why it answered 502, and for which node. */
	readonly output: string;
	/** Ends it and removes its files. */
	close(): Promise<void>;
}

/**
 * Starts an nginx whose `http` block is the file `config`, with the addresses of `nodes` (ports of 127.0.0.1) in place
 * of its `server` lines, on a port of its own. `edit` may change the text further.
 */
export async function startNginx(
	config: string,
	nodes: readonly number[],
	edit: (text: string) => string = (text) => text,
): Promise<Nginx> {
	const port = await freePort();
	const folder = mkdtempSync(join(tmpdir(), 'holdfast-nginx-'));
	// Started by root, its workers are nobody, and keep files here.
	chmodSync(folder, 0o755);
	writeFileSync(join(folder, 'http.conf'), edit(fillIn(readFileSync(config, 'utf8'), port, nodes)));
	writeFileSync(join(folder, 'nginx.conf'), mainConfig);
	// A master that is killed leaves its workers behind.
	const options = { cwd: folder, lastSignal: 'SIGTERM' } as const;
	const args = ['-p', folder, '-c', 'nginx.conf', '-e', 'stderr'];
	const program = new Program(findProgram('nginx', 'NGINX'), args, options);
	await program.until(() => accepts(port));
	return {
		port,
		url: `http://127.0.0.1:${port}/mcp`,
		get output() {
			return program.output;
		},
		async close() {
			await program.end('SIGTERM');
			rmSync(folder, { recursive: true, force: true });
		},
	};
}

/** What a distribution's own nginx.conf says, for a folder that anybody may have. */
const mainConfig = `daemon off;
worker_processes auto;
pid nginx.pid;
events { worker_connections 4096; }
http {
	access_log off;
	client_body_temp_path body;
	proxy_temp_path proxy;
	fastcgi_temp_path fastcgi;
	uwsgi_temp_path uwsgi;
	scgi_temp_path scgi;
	include http.conf;
}
`;

function fillIn(config: string, port: number, nodes: readonly number[]): string {
	const listening = replaceOnce(config, /^(\s*)listen .*;$/m, (indent) => `${indent}listen 127.0.0.1:${port};`);
	// The first line stands for all: each node gets its parameters.
	return replaceOnce(listening, /^(\s*)server [\w.]+:\d+(.*);\n(?:\s*server [\w.]+:\d+.*;\n)*/m, (indent, parameters) =>
		nodes.map((node) => `${indent}server 127.0.0.1:${node}${parameters};\n`).join(''),
	);
}

function replaceOnce(text: string, pattern: RegExp, replacement: (...groups: string[]) => string): string {
	if (!pattern.test(text)) throw new Error(`The configuration has no line like ${pattern}.`);
	return text.replace(pattern, (_match, ...groups) => replacement(...groups));
}
