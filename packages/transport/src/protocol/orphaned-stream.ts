import { parseStreamId } from '@holdfast/session-manager/custom';
import { ErrorCode, type RequestId } from './json-rpc.js';
import { parseStreamName } from './routed-ids.js';
import { endEvent, lastMessageEvent } from './sse.js';

/**
 * Returns the event that ends a request stream to which nobody will write any more: an error for its request where the
 * stream's name contains the request's id, otherwise just the end. It is sent under an event id like every event: a
 * client that does not take an error for the response resumes after it, and so learns that nothing follows.
 */
export function orphanedStreamEvent(streamId: string, primed: boolean): string {
	const { sessionId, name } = parseStreamId(streamId);
	const id = parseStreamName(sessionId, name)?.requestId;
	if (id === undefined) return endEvent(primed);
	return lastMessageEvent(lostResponse(id));
}

/** Returns, as JSON, the error response to a request whose own response will never come. */
export function lostResponse(id: RequestId): string {
	const message = 'The response to this request is lost: its node is gone, or it is older than the retention.';
	return JSON.stringify({ jsonrpc: '2.0', id, error: { code: ErrorCode.REFUSED, message } });
}
