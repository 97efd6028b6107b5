import { placeOf } from '@holdfast/session-manager/custom';
import { startServer } from './everything-server.js';
import { parseOptions, type ServerOptions, USAGE, UsageError } from './options.js';

try {
	const options = parseOptions(process.argv.slice(2));
	if (options === 'help') process.stdout.write(USAGE);
	else await serve(options);
} catch (error) {
	fail(error);
}

/** Runs until a signal shuts it down gracefully, or a second one at once; then the process exits with code 0. */
async function serve(options: ServerOptions): Promise<void> {
	const server = await startServer(options);
	const sdk = `SDK ${options.sdk}, store ${placeOf(options.store)}`;
	let stopping = false;
	for (const signal of ['SIGINT', 'SIGTERM'] as const) {
		process.on(signal, () => {
			const stopped = stopping ? server.stopNow() : server.stop();
			stopping = true;
			stopped.catch(fail);
		});
	}
	const metrics = server.metricsUrl === undefined ? '' : `, with metrics at ${server.metricsUrl}`;
	// Whoever waits for this line may send a signal at once.
	process.stdout.write(`Holdfast everything-server (${sdk}${metrics}) listening on ${server.url}\n`);
	if (server.consoleUrl !== undefined) process.stderr.write(`The console opens once at ${server.consoleUrl}\n`);
}

function fail(error: unknown): void {
	process.exitCode = error instanceof UsageError ? 2 : 1;
	process.stderr.write(`everything-server: ${explain(error)}\n`);
}

function explain(error: unknown): string {
	return error instanceof UsageError ? `${error.message} Try --help.` : (error as Error).message;
}
