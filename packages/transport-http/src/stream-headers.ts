import { type Headers, streamHeaders } from '@holdfast/transport';

/** Headers of an SSE stream of a session. */
export function sessionStreamHeaders(sessionId: string): Headers {
	return { ...streamHeaders, 'mcp-session-id': sessionId };
}
