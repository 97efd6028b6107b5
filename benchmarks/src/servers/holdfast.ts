import type { RequestListener } from 'node:http';
import { HttpTransport } from '@holdfast/transport-http';

/** Makes the server of a session, of either SDK. */
export type CreateServer = ConstructorParameters<typeof HttpTransport>[0];

/** Holdfast on `node:http`, with no options: what its quick start shows. */
export function holdfastHandle(createServer: CreateServer): RequestListener {
	return new HttpTransport(createServer).handle;
}
