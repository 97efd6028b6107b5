// The examples in the doc comments of http-transport.ts.
import { createServer, type Server } from 'node:http';
import type { Authenticate, CreateServer } from '@holdfast/transport';
import { HttpTransport, type InfoSessionManager, type StreamSessionManager } from '../../src/index.ts';

export function nodeHttp(createMcpServer: CreateServer): Server {
	//#region nodeHttp
	const transport = new HttpTransport((session) => createMcpServer(session));
	const server = createServer(transport.handle);
	server.listen(3000, '127.0.0.1');
	//#endregion nodeHttp
	return server;
}

export function manyNodes(
	createMcpServer: CreateServer,
	streams: StreamSessionManager,
	info: InfoSessionManager,
	authenticate: Authenticate,
): HttpTransport {
	//#region manyNodes
	const transport = new HttpTransport(createMcpServer, {
		sessionManager: { streams, info }, // for example of @holdfast/session-manager-redis
		allowedHosts: ['mcp.example.com'],
		authenticate,
	});
	//#endregion manyNodes
	return transport;
}
