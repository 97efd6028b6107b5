import { Buffer } from 'node:buffer';
import { isRequestId, type RequestId } from './json-rpc.js';

/** Longer request ids are left out of stream names: names go out with every event. */
const MAX_ID_LENGTH = 64;

/**
 * The name of the stream of a request, as it stands in event ids: the node that runs the request, a number, and the request's
 * id where one request of a sensible id has the stream. So any node can tell a client that resumes what became of its request.
 */
export interface RequestStreamName {
	readonly nodeId: string;
	readonly requestId: RequestId | undefined;
}

/** Writes the name of a request stream. */
export function formatStreamName(nodeId: string, count: number, requestId: RequestId | undefined): string {
	const id = requestId === undefined ? '' : JSON.stringify(requestId);
	const suffix = id === '' || id.length > MAX_ID_LENGTH ? '' : `.${Buffer.from(id).toString('base64url')}`;
	return `${nodeId}.${count.toString(36)}${suffix}`;
}

/** Reads the name of a request stream; `undefined` when no node of ours made it. */
export function parseStreamName(name: string): RequestStreamName | undefined {
	const match = /^([A-Za-z0-9_-]+)\.[a-z0-9]+(?:\.([A-Za-z0-9_-]+))?$/.exec(name);
	if (match?.[1] === undefined) return undefined;
	if (match[2] === undefined) return { nodeId: match[1], requestId: undefined };
	try {
		const requestId: unknown = JSON.parse(Buffer.from(match[2], 'base64url').toString());
		return isRequestId(requestId) ? { nodeId: match[1], requestId } : undefined;
	} catch {
		return undefined;
	}
}
