// What every runtime serves. As it stands, this is the module of a Cloudflare Worker.
import { jwtAuthenticator } from '@holdfast/auth-jwt';
import { RedisInfoSessionManager, RedisStreamSessionManager } from '@holdfast/session-manager-redis';
import { HttpTransport } from '@holdfast/transport-http';
import { SseTransport } from '@holdfast/transport-sse';
import { McpServer } from '@modelcontextprotocol/server';
import { z } from 'zod';

const text = (value: string) => ({ content: [{ type: 'text' as const, text: value }] });

function createServer(): McpServer {
	const server = new McpServer({ name: 'runtimes', version: '0.0.0' }, { capabilities: { logging: {} } });
	server.registerTool('echo', { inputSchema: z.object({ value: z.string() }) }, ({ value }) => text(value));
	server.registerTool('wait', { inputSchema: z.object({ ms: z.number() }) }, async ({ ms }) => {
		await new Promise((resolve) => setTimeout(resolve, ms));
		return text('waited');
	});
	server.registerTool('announce', { inputSchema: z.object({}) }, async () => {
		await server.server.sendLoggingMessage({ level: 'info', data: 'announced' });
		return text('done');
	});
	return server;
}

const transport = new HttpTransport(createServer, {
	sseAfterMs: 100,
	keepAliveMs: 200,
	onerror: (error) => console.error(error),
});

// The other packages can be imported and used there, too.
Object.assign(globalThis, {
	RedisInfoSessionManager,
	RedisStreamSessionManager,
	jwtAuthenticator,
	sse: new SseTransport(createServer),
});

export default transport;
