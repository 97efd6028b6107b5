import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { within } from '../../../../test/support/deadline.ts';

const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

/** How a process ended, and what it wrote. */
export interface Ended {
	readonly code: number | null;
	readonly stdout: string;
	readonly stderr: string;
}

/** An everything-server that listens. */
export interface RunningServer {
	readonly url: string;
	readonly origin: string;
	/** Where its metrics are, with `--metrics`. */
	readonly metricsUrl: string | undefined;
	/** Sends a signal, and answers how the process ended. */
	end(signal: NodeJS.Signals): Promise<Ended>;
	kill(): void;
}

/** Runs the command to its end. */
export function run(...args: string[]): Promise<Ended> {
	const child = start(args);
	onTestFinished(() => {
		child.kill('SIGKILL');
	});
	return within(watch(child), 'the command to end', 10_000);
}

/** Starts a server on a free port; it is killed when the test is over. */
export async function startServer(...args: string[]): Promise<RunningServer> {
	const server = await launchServer(...args);
	onTestFinished(() => server.kill());
	return server;
}

/** Starts a server on a free port; whoever starts it kills it. */
export async function launchServer(...args: string[]): Promise<RunningServer> {
	// A client that keeps its connections would keep the server for seconds.
	const child = start(['--port', '0', '--drain-idle-ms', '0', ...args]);
	const ended = watch(child);
	const [url, metricsUrl] = await within(
		Promise.race([addressOf(child), ended.then(fail)]),
		'the server to listen',
		10_000,
	);
	return {
		url,
		origin: new URL(url).origin,
		metricsUrl,
		end(signal) {
			child.kill(signal);
			return within(ended, `the server to end on ${signal}`, 10_000);
		},
		kill() {
			child.kill('SIGKILL');
		},
	};
}

type Child = ChildProcessByStdio<null, Readable, Readable>;

function start(args: string[]): Child {
	return spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
}

async function watch(child: Child): Promise<Ended> {
	let stdout = '';
	let stderr = '';
	child.stdout.setEncoding('utf8').on('data', (text) => {
		stdout += text;
	});
	child.stderr.setEncoding('utf8').on('data', (text) => {
		stderr += text;
	});
	const [code] = await once(child, 'close');
	return { code, stdout, stderr };
}

function addressOf(child: Child): Promise<readonly [url: string, metricsUrl: string | undefined]> {
	return new Promise((resolve) => {
		child.stdout.on('data', (text) => {
			const url = /listening on (\S+)/.exec(text)?.[1];
			if (url !== undefined) resolve([url, /metrics at (http:[^\s)]+)/.exec(text)?.[1]]);
		});
	});
}

function fail({ code, stderr }: Ended): never {
	throw new Error(`The server ended with code ${code}: ${stderr}`);
}
