import type { RequestListener } from 'node:http';
import { InMemoryInfoSessionManager } from '@holdfast/session-manager';
import { HttpTransport } from '@holdfast/transport-http';

/** Creates the server of a session, with either SDK. */
export type CreateServer = ConstructorParameters<typeof HttpTransport>[0];

/** Holdfast on `node:http`. */
export function holdfastHandle(createServer: CreateServer, options = unboundedSessions()): RequestListener {
	return new HttpTransport(createServer, options).handle;
}

/** The defaults without the limit on sessions: a benchmark opens more than a server should hold. */
export function unboundedSessions(): ConstructorParameters<typeof HttpTransport>[1] {
	return { sessionManager: { info: new InMemoryInfoSessionManager({ maxSessions: 0 }) } };
}
