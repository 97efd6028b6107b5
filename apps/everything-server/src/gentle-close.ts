import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/**
 * Prepares `http` to be closed gently: the function it answers closes the port, and requests in flight may end within
 * `graceMs`. Node alone would wait for connections that were never used, and for those that are kept alive.
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
			// The connection counts as idle only after this event.
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
