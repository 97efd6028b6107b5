import type { RequestListener } from 'node:http';
import { InMemoryInfoSessionManager } from '@holdfast/session-manager';
import { HttpTransport } from '@holdfast/transport-http';

/** Makes the server of a session, of either SDK. */
export type CreateServer = ConstructorParameters<typeof HttpTransport>[0];

/** Holdfast on `node:http`. */
export function holdfastHandle(createServer: CreateServer, options = unboundedSessions()): RequestListener {
	return new HttpTransport(createServer, options).handle;
}

/** The defaults, but for the bound on sessions: a benchmark opens more than a server should hold. */
export function unboundedSessions(): ConstructorParameters<typeof HttpTransport>[1] {
	return { sessionManager: { info: new InMemoryInfoSessionManager({ maxSessions: 0 }) } };
}
