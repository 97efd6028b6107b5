import { parseStreamId } from '@holdfast/session-manager/custom';
import { ErrorCode, type RequestId } from './json-rpc.js';
import { parseStreamName } from './routed-ids.js';
import { endEvent, lastMessageEvent } from './sse.js';

/**
 * The event that ends a request stream to which nobody will write any more: an error for the request where the stream's name
 * tells its id. Like every other event it is sent under an event id, because clients that take no error for an answer come back
 * after it, and so learn that nothing follows.
 */
export function orphanedStreamEvent(streamId: string, primed: boolean): string {
	const id = parseStreamName(parseStreamId(streamId).name)?.requestId;
	if (id === undefined) return endEvent(primed);
	return lastMessageEvent(lostResponse(id));
}

/** The answer, as JSON, to a request whose own answer will not come any more. */
export function lostResponse(id: RequestId): string {
	const message = 'The answer to this request is lost: its node is gone, or it is older than what is kept.';
	return JSON.stringify({ jsonrpc: '2.0', id, error: { code: ErrorCode.REFUSED, message } });
}
