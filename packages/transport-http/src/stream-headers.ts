import type { Headers } from '@holdfast/transport';

/** Headers of an SSE stream. Proxies are told neither to buffer nor to change it. */
export function streamHeaders(sessionId: string): Headers {
	return {
		'content-type': 'text/event-stream',
		'cache-control': 'no-cache, no-transform',
		'x-accel-buffering': 'no',
		'mcp-session-id': sessionId,
	};
}
