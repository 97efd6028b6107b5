import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '@holdfast/session-manager';

/** How long, and how much, is read of a body that is refused. */
const LINGER_MS = 30_000;
const MAX_BYTES = 64 * 1024 * 1024;

/** Returns whether the client may still be sending the body of a request. */
export function isBodyComing({ complete, headers, httpVersionMajor }: IncomingMessage): boolean {
	if (complete || httpVersionMajor >= 2) return false;
	return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

/**
 * Sends all of a response, and ends it once the body of its request has arrived. A connection that is closed while the
 * client still writes is reset, and the client, or a proxy before it, drops what it was sent (RFC 9112, 9.6). What
 * arrives is dropped; after too much or too long, the connection is closed all the same.
 */
export function endAfterBody(request: IncomingMessage, response: ServerResponse, body: string, clock: Clock): void {
	response.write(body);
	let bytes = 0;
	const end = () => {
		cancel();
		request.off('data', count).off('end', end).off('close', end);
		response.end();
	};
	const giveUp = () => {
		end();
		request.socket.destroySoon();
	};
	const count = (chunk: Uint8Array) => {
		bytes += chunk.byteLength;
		if (bytes > MAX_BYTES) giveUp();
	};
	const cancel = clock.after(LINGER_MS, giveUp);
	request.on('data', count).on('end', end).on('close', end).resume();
}
