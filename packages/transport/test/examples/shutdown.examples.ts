// The example in the doc comment of shutdown.ts.
import type { Server } from 'node:http';
import { type ServerTransport, shutdown } from '../../src/index.ts';

export function stopOnSignal(server: Server, http: ServerTransport, sse: ServerTransport): void {
	//#region shutdown
	process.once('SIGTERM', () => shutdown(server, [http, sse]));
	//#endregion shutdown
}
