// The command line of the Inspector: each command connects, asks one thing, and ends.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { parsed } from './parsed.mjs';
import { program } from './program.mjs';

export const ways = [{ transport: 'http' }, { transport: 'sse' }];

export const session = 'one call';

export async function connect({ alias, url, transport }) {
	const run = async (...args) => {
		const command = [program(alias, 'mcp-inspector'), '--cli', url, '--transport', transport, ...args];
		const { stdout } = await promisify(execFile)(process.execPath, command, { encoding: 'utf8' });
		return JSON.parse(stdout);
	};
	return {
		list: async () => (await run('--method', 'tools/list')).tools.map(({ name }) => name),
		call: async (name, args) => {
			const pairs = Object.entries(args).flatMap(([key, value]) => ['--tool-arg', `${key}=${value}`]);
			return parsed(await run('--method', 'tools/call', '--tool-name', name, ...pairs));
		},
		close: async () => {},
	};
}
