import { END_OF_STREAM } from '@holdfast/session-manager/custom';

/** One JSON-RPC message as an SSE event. JSON holds no raw line break, so one `data:` line carries it. */
export function messageEvent(json: string): string {
	return `event: message\ndata: ${json}\n\n`;
}

/** The last message of a request stream. */
export function lastMessageEvent(json: string): string {
	return `event: message\ndata: ${json}\n${END_OF_STREAM}\n\n`;
}

/**
 * The end of a request stream that gets no (further) message. Clients that know priming come back when they saw no answer; an
 * event without data gives them the id from which they learn that nothing follows. Older ones would stumble over it.
 */
export function endEvent(primed: boolean): string {
	return `${primed ? 'data: ' : ': no answer follows'}\n${END_OF_STREAM}\n\n`;
}

/**
 * The first event of a stream, without data: with the id that goes before it, a client can resume even if it loses the
 * connection before the first message (2025-11-25, Sending Messages to the Server, 6). `retryMs` is when to come back.
 */
export function primingEvent(retryMs: number): string {
	return `retry: ${retryMs}\ndata: \n\n`;
}

/** Tells a client when to come back, right before its connection is closed. */
export function retryEvent(retryMs: number): string {
	return `retry: ${retryMs}\n\n`;
}

/** A comment that makes proxies pass on the head of a stream at once. */
export const openingComment = ': connected\n\n';

/** A comment that keeps proxies from cutting an idle stream. */
export const keepAliveComment = ': keep-alive\n\n';
