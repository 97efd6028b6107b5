import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';

/** A transport of the official SDKs. It serves one session. */
interface SessionTransport {
	handleRequest(request: IncomingMessage, response: ServerResponse): Promise<void>;
}

/** The routing that the official SDKs leave to their user: each request goes to the transport of its session. */
export function statefulListener(
	open: (transports: Map<string, SessionTransport>) => Promise<SessionTransport>,
): RequestListener {
	const transports = new Map<string, SessionTransport>();
	const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
		const id = request.headers['mcp-session-id'];
		const transport = typeof id === 'string' ? transports.get(id) : await open(transports);
		if (transport) await transport.handleRequest(request, response);
		else response.writeHead(404).end();
	};
	return (request, response) => {
		serve(request, response).catch((error: unknown) => response.destroy(error instanceof Error ? error : undefined));
	};
}
