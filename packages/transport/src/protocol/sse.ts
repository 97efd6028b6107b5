import { END_OF_STREAM } from '@holdfast/session-manager/custom';

/** Returns the SSE event of one JSON-RPC message. */
export function messageEvent(json: string): string {
	return `event: message\ndata: ${oneLine(json)}\n\n`;
}

/** Returns the event of the last message of a request stream. */
export function lastMessageEvent(json: string): string {
	return `event: message\ndata: ${oneLine(json)}\n${END_OF_STREAM}\n\n`;
}

/**
 * Returns the event that ends a request stream without a further message. Clients that know priming resume when they
 * saw no response; an event without data gives them an event id, and resuming after it tells them that nothing follows.
 * Older clients cannot parse an event without data, and get a comment.
 */
export function endEvent(primed: boolean): string {
	return `${primed ? 'data: ' : ': no response follows'}\n${END_OF_STREAM}\n\n`;
}

/**
 * Returns the first event of a stream, which has no data. Its event id lets a client resume even if the connection is
 * lost before the first message (2025-11-25, Sending Messages to the Server, 6). `retryMs` tells it when to come back.
 */
export function primingEvent(retryMs: number): string {
	return `retry: ${retryMs}\ndata: \n\n`;
}

/** Returns the event that tells a client when to come back, sent right before its connection is closed. */
export function retryEvent(retryMs: number): string {
	return `retry: ${retryMs}\n\n`;
}

/** A comment that makes proxies forward the head of a stream at once. */
export const openingComment = ': connected\n\n';

/** A comment that keeps proxies from closing an idle stream. */
export const keepAliveComment = ': keep-alive\n\n';

/**
 * JSON contains no line break that SSE knows, but some clients split lines as Unicode does. Inside of JSON, these
 * characters stand in strings only.
 */
function oneLine(json: string): string {
	return unicodeLineBreak.test(json) ? json.replace(unicodeLineBreaks, (char) => escapes[char] ?? char) : json;
}

const unicodeLineBreak = /[\u0085\u2028\u2029]/;
const unicodeLineBreaks = /[\u0085\u2028\u2029]/g;
const escapes: Readonly<Record<string, string>> = {
	'\u0085': '\\u0085',
	'\u2028': '\\u2028',
	'\u2029': '\\u2029',
};
