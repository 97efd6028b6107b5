import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/**
 * Returns a function that closes the port of `http` gracefully: requests in flight may end within `graceMs`
 * milliseconds. Node alone would wait for idle keep-alive connections and for connections that were never used.
 */
export function closesGently(http: Server, graceMs: number): () => Promise<void> {
	const sockets = new Set<Socket>();
	let closing = false;
	http.on('connection', (socket) => {
		sockets.add(socket);
		socket.once('close', () => sockets.delete(socket));
	});
	http.on('request', (_request, response) => {
		response.once('close', () => {
			// The connection becomes idle only after this event.
			if (closing) setImmediate(() => http.closeIdleConnections());
		});
	});
	return async () => {
		closing = true;
		const closed = new Promise((resolve) => http.close(resolve));
		for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
		const overdue = setTimeout(() => http.closeAllConnections(), graceMs);
		await closed;
		clearTimeout(overdue);
	};
}
