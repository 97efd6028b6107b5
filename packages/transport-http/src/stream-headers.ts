import { type Headers, type LocalSession, streamHeaders } from '@holdfast/transport/internal';

/** Headers of an SSE stream of a session. */
export function sessionStreamHeaders({ sessionIdHeader }: LocalSession): Headers {
	return sessionIdHeader === undefined ? streamHeaders : { ...streamHeaders, 'mcp-session-id': sessionIdHeader };
}
