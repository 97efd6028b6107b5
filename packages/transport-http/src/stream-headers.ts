import { type Headers, type NodeSession, streamHeaders } from '@holdfast/transport';

/** Headers of an SSE stream of a session. */
export function sessionStreamHeaders({ sessionIdHeader }: NodeSession): Headers {
	return sessionIdHeader === undefined ? streamHeaders : { ...streamHeaders, 'mcp-session-id': sessionIdHeader };
}
