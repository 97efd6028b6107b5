// The examples in the doc comments of sse-transport.ts.
import { createServer, type Server } from 'node:http';
import type { CreateServer } from '@holdfast/transport';
import { HttpTransport, type HttpTransportOptions } from '@holdfast/transport-http';
import { SseTransport } from '../../src/index.ts';

export function alone(createMcpServer: CreateServer): Server {
	//#region alone
	const transport = new SseTransport((session) => createMcpServer(session));
	const server = createServer(transport.handle);
	server.listen(3000, '127.0.0.1');
	//#endregion alone
	return server;
}

export function besideHttp(
	createMcpServer: CreateServer,
	sessionManager: NonNullable<HttpTransportOptions['sessionManager']>,
): Server {
	//#region besideHttp
	const http = new HttpTransport(createMcpServer, { sessionManager });
	const sse = new SseTransport(createMcpServer, { sessionManager });
	const server = createServer((request, response) => {
		http.handle(request, response, () => sse.handle(request, response));
	});
	//#endregion besideHttp
	return server;
}
