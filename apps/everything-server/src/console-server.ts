import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { OperatorConsole, type OperatorConsoleOptions } from '@holdfast/console';
import { listen } from './listen.js';

/** Serves the console until it is closed. */
export interface ConsoleServer {
	/** Opens the console once, in one browser. */
	readonly url: string;
	close(): void;
}

/** Serves the console at a port of its own, on the loopback, with every action. Rejects when it cannot listen. */
export async function serveConsole(
	parts: Pick<OperatorConsoleOptions, 'transport' | 'info' | 'activity'>,
	port: number,
): Promise<ConsoleServer> {
	const oneTimeToken = randomBytes(32).toString('base64url');
	const console = new OperatorConsole({
		...parts,
		path: '/',
		authorize: { oneTimeToken, name: 'everything-server' },
		actions: ['suspend', 'end', 'export', 'erase'],
	});
	const server = createServer(console.handle);
	await listen(server, port, '127.0.0.1', { port: '--console' });
	const { port: taken } = server.address() as AddressInfo;
	return {
		url: `http://127.0.0.1:${taken}/?token=${oneTimeToken}`,
		close() {
			console.close();
			server.close();
			server.closeAllConnections();
		},
	};
}
