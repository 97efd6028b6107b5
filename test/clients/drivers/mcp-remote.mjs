// mcp-remote, a proxy that lets clients of stdio talk to a server at a URL. Behind it is a client of SDK v1.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { program } from './program.mjs';
import { connectOver } from './sdk-v1.mjs';

export const ways = [{ transport: 'http' }, { transport: 'sse' }];

export async function connect({ alias, url, transport }) {
	const load = (path) => import(`sdk-v1-1.32${path}`);
	const { StdioClientTransport } = await load('/client/stdio.js');
	const folder = mkdtempSync(join(tmpdir(), 'holdfast-mcp-remote-'));
	process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
	const args = [program(alias, 'mcp-remote'), url, '--allow-http', '--transport', `${transport}-only`];
	const env = { ...process.env, MCP_REMOTE_CONFIG_DIR: folder };
	return connectOver(load, new StdioClientTransport({ command: process.execPath, args, env }));
}
