import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { Agent } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { WireResponse } from '../support/clients/wire-response.ts';
import { within } from '../support/deadline.ts';
import { sendOverHttp, type WireRequest } from '../support/doors.ts';
import { initializeMessage, LATEST, postHeaders } from '../support/rig.ts';

const here = fileURLToPath(new URL('.', import.meta.url));
const bin = (name: string) => join(here, 'node_modules/.bin', name);
const denoFlags = ['--quiet', '--allow-all', '--no-check', '--node-modules-dir=manual'];

/** Starts a server; resolves with its port. */
type Start = () => Promise<number>;

const runtimes: readonly (readonly [string, Start])[] = [
	['Bun.serve', () => portOf(bin('bun'), ['src/bun.ts'])],
	['node:http of Bun', () => portOf(bin('bun'), ['src/node-http.ts'])],
	['Deno.serve', () => portOf(bin('deno'), ['run', ...denoFlags, 'src/deno.ts'])],
	['node:http of Deno', () => portOf(bin('deno'), ['run', ...denoFlags, 'src/node-http.ts'])],
	['workerd', startWorkerd],
];

describe.each(runtimes)('under %s', (_, start) => {
	it('sessions, both forms of responses, streams and their keep-alive work', { timeout: 60_000 }, async () => {
		const port = await start();
		const agent = new Agent({ keepAlive: true });
		onTestFinished(() => agent.destroy());
		const send = (request: WireRequest) => within(sendOverHttp(agent, port, request), 'the head of an answer');

		const opened = await send({ headers: postHeaders, body: JSON.stringify(initializeMessage()) });
		expect(opened.status).toBe(200);
		const session = { 'mcp-session-id': String(opened.headers.get('mcp-session-id')), 'mcp-protocol-version': LATEST };
		const post = (message: object): Promise<WireResponse> =>
			send({ headers: { ...postHeaders, ...session }, body: JSON.stringify({ jsonrpc: '2.0', ...message }) });
		const call = (id: number, name: string, args: object) =>
			post({ id, method: 'tools/call', params: { name, arguments: args } });
		expect((await post({ method: 'notifications/initialized' })).status).toBe(202);

		const quick = await call(1, 'echo', { value: 'ü€𝄞' });
		expect(quick.isStream).toBe(false);
		expect((await quick.json()).result.content[0].text).toBe('ü€𝄞');
		// The timer that makes it a stream may have been set by the request before, which is over.
		const slow = await call(2, 'wait', { ms: 400 });
		expect(slow.isStream).toBe(true);
		expect(await slow.answer()).toMatchObject({ id: 2, result: { content: [{ text: 'waited' }] } });

		const stream = await send({ method: 'GET', headers: { accept: 'text/event-stream', ...session } });
		expect((await stream.block(0)).data).toBe('');
		expect(await (await call(3, 'announce', {})).answer()).toMatchObject({ id: 3 });
		expect(await stream.message(0)).toMatchObject({ params: { data: 'announced' } });
		expect((await stream.block(3)).comments).toEqual(['keep-alive']);

		expect((await send({ method: 'DELETE', headers: session })).status).toBe(200);
		await stream.ended();
		expect((await post({ id: 4, method: 'ping' })).status).toBe(404);
		expect((await send({ path: '/other' })).status).toBe(404);
	});
});

/** Runs a program in this folder until the test is over. Resolves with the port that it prints. */
async function portOf(
	command: string,
	args: readonly string[],
	read: (line: string) => number = Number,
): Promise<number> {
	// The programs in `.bin` start the runtime as a child; a group ends as a whole.
	const child = spawn(command, args, { cwd: here, stdio: ['ignore', 'pipe', 'inherit'], detached: true });
	onTestFinished(() => end(child));
	const line = new Promise<string>((resolve, reject) => {
		createInterface(child.stdout).once('line', resolve);
		child.once('error', reject);
		child.once('exit', (code) => reject(new Error(`${command} exited with ${code}.`)));
	});
	return read(await within(line, 'the port', 30_000));
}

async function end(child: ChildProcess): Promise<void> {
	if (child.pid === undefined || child.exitCode !== null) return;
	const exited = new Promise((resolve) => child.once('exit', resolve));
	process.kill(-child.pid, 'SIGKILL');
	await exited;
}

/** Bundles the transport as a Worker, and serves it. */
async function startWorkerd(): Promise<number> {
	const folder = await mkdtemp(join(tmpdir(), 'holdfast-worker-'));
	onTestFinished(() => rm(folder, { recursive: true, force: true }));
	const conditions = ['workerd', 'worker', 'module'];
	await build({
		configFile: false,
		root: here,
		logLevel: 'error',
		resolve: { conditions },
		ssr: { noExternal: true, target: 'webworker', resolve: { conditions } },
		build: {
			ssr: 'src/transport.ts',
			outDir: folder,
			emptyOutDir: false,
			rolldownOptions: { external: /^node:/, output: { entryFileNames: 'worker.js' } },
		},
	});
	const config = join(folder, 'config.capnp');
	await writeFile(
		config,
		`using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
	services = [(name = "main", worker = (
		modules = [(name = "worker", esModule = embed "worker.js")],
		compatibilityDate = "2026-11-01",
	))],
	sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
`,
	);
	return portOf(bin('workerd'), ['serve', config, '--control-fd=1'], (line) => JSON.parse(line).port);
}
