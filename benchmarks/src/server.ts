/**
 * One server under test, in a process of its own: `node server.js <kind>`. It listens on a free port, reports the port
 * to its parent, handles the parent's requests, and exits when the parent does.
 */
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { Session } from 'node:inspector/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { isServerKindName, serverKinds } from './server-kinds.js';
import { canBroadcast } from './servers/broadcasting-listener.js';

/** A request of the parent; one at a time. */
export type ServerRequest =
	| { readonly ask: 'heap' }
	| { readonly ask: 'rss' }
	| { readonly ask: 'cpu' }
	| { readonly ask: 'broadcast' }
	| { readonly ask: 'start-profile'; readonly intervalMicros: number }
	| { readonly ask: 'stop-profile'; readonly file: string };

/** A message to the parent: the port once the server listens, then one reply to each request. */
export type ServerReply = { readonly port: number } | { readonly value: number } | { readonly error: string };

const kind = process.argv[2] ?? '';
if (!isServerKindName(kind)) throw new TypeError(`There is no server kind "${kind}".`);

process.once('disconnect', () => process.exit());
process.on('message', (request: ServerRequest) => {
	handle(request).then(
		(value) => tell({ value }),
		(error: unknown) => tell({ error: String(error) }),
	);
});

const listener = await serverKinds[kind].listener();
const server = createServer({ keepAliveTimeout: 60_000 }, listener);
server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => {
	const address = server.address();
	if (address !== null && typeof address === 'object') tell({ port: address.port });
});

const inspector = new Session();

async function handle(request: ServerRequest): Promise<number> {
	switch (request.ask) {
		case 'heap':
			return settledHeapBytes();
		case 'rss':
			return process.memoryUsage().rss;
		case 'cpu': {
			const { user, system } = process.cpuUsage();
			return user + system;
		}
		case 'broadcast': {
			if (!canBroadcast(listener)) throw new TypeError(`The server "${kind}" cannot broadcast.`);
			const at = Number(process.hrtime.bigint());
			await listener.broadcast();
			return at;
		}
		case 'start-profile':
			inspector.connect();
			await inspector.post('Profiler.enable');
			await inspector.post('Profiler.setSamplingInterval', { interval: request.intervalMicros });
			await inspector.post('Profiler.start');
			return 0;
		case 'stop-profile': {
			const { profile } = await inspector.post('Profiler.stop');
			inspector.disconnect();
			await writeFile(request.file, JSON.stringify(profile));
			return profile.samples?.length ?? 0;
		}
	}
}

/** The heap in use after garbage collection, including what only finalizers and weak references free. */
async function settledHeapBytes(): Promise<number> {
	for (let round = 0; round < 4; round++) {
		globalThis.gc?.();
		await delay(50);
	}
	return process.memoryUsage().heapUsed;
}

function tell(reply: ServerReply): void {
	process.send?.(reply);
}
