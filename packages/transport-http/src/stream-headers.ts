import { type Headers, type LocalSession, streamHeaders } from '@holdfast/transport/internal';

/** Returns the headers of an SSE stream, with the session id where there is one. */
export function sessionStreamHeaders({ sessionIdHeader }: LocalSession): Headers {
	return sessionIdHeader === undefined ? streamHeaders : { ...streamHeaders, 'mcp-session-id': sessionIdHeader };
}
