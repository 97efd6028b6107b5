import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';

const root = fileURLToPath(new URL('../../../', import.meta.url));

/** Runs the end of `npm start` with `args`, where `port` is the one that it prefers. */
function start(port: number, args: readonly string[]): { readonly child: ChildProcess; readonly output: () => string } {
	const program = `
		import { serve } from '${root}scripts/serve.mjs';
		process.exitCode = await serve('${root}', ${JSON.stringify(args)}, process.env, ${port});
	`;
	const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
		stdio: ['ignore', 'pipe', 'inherit'],
	});
	onTestFinished(() => void child.kill('SIGTERM'));
	let output = '';
	child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
		output += chunk;
	});
	return { child, output: () => output };
}

test('where its port is taken it says so, and which one it took; on Ctrl-C it says goodbye', async () => {
	const other = createServer().listen(0, '127.0.0.1');
	onTestFinished(() => void other.close());
	await new Promise((resolve) => other.once('listening', resolve));
	const { port } = other.address() as { port: number };
	const { child, output } = start(port, ['--metrics', '0']);
	await expect.poll(output, { timeout: 20_000, interval: 20 }).toContain('Stop it: Ctrl-C');
	const taken = /Port (\d+) is in use, so this is port (\d+) /.exec(output()) ?? [];
	expect(taken[1]).toBe(`${port}`);
	expect(output()).toContain(`"url": "http://127.0.0.1:${taken[2]}/mcp"`);
	const ended = new Promise((resolve) => child.once('exit', resolve));
	child.kill('SIGINT');
	expect(await ended).toBe(0);
	expect(output()).toMatch(/The server has stopped\. Goodbye\.\n$/);
});
