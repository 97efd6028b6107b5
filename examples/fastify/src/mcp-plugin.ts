import { type HttpTransport, type ShutdownOptions, shutdown } from '@holdfast/transport-http';
import type { FastifyPluginAsync } from 'fastify';

export interface McpPluginOptions {
	readonly transport: HttpTransport;
	/** How it leaves when the application closes. */
	readonly leaving?: ShutdownOptions;
}

/** A plugin of Fastify that serves a transport at `/mcp`, and shuts it down when the application closes. */
export const mcpPlugin: FastifyPluginAsync<McpPluginOptions> = async (scope, { transport, leaving }) => {
	// In this scope Fastify does not read the body: the transport does, and checks its size before it parses.
	scope.removeAllContentTypeParsers();
	scope.addContentTypeParser('*', (_request, _payload, done) => done(null));
	scope.all('/mcp', (request, reply) => {
		reply.hijack();
		transport.handle(request.raw, reply.raw);
	});
	// `onClose` would come too late: Fastify first waits for the requests that are still open, and streams are.
	scope.addHook('preClose', () => shutdown(scope.server, [transport], leaving));
};
