import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { HttpTransport, shutdown } from '@holdfast/transport-http';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { All, type BeforeApplicationShutdown, Controller, Inject, Module, Req, Res } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';

const transport = new HttpTransport((session) => {
	const server = new McpServer({ name: 'nestjs-example', version: '1.0.0' });
	server.registerTool('count', { description: 'Counts the calls of this session' }, async () => {
		const calls = await session.state.increment('calls');
		return { content: [{ type: 'text', text: `Call ${calls} of this session.` }] };
	});
	return server;
});

/** In development nobody has to notice first. */
const leaving = process.env.NODE_ENV === 'production' ? {} : { delayMs: 0, idleConnectionsMs: 0 };

/** A route like any other: guards and interceptors apply. Nest's parser has read the body, and `handle` takes it. */
@Controller('mcp')
class McpController {
	@Inject(HttpTransport) readonly transport!: HttpTransport;

	@All()
	serve(@Req() request: IncomingMessage, @Res() response: ServerResponse): void {
		this.transport.handle(request, response);
	}
}

@Module({
	controllers: [McpController],
	providers: [{ provide: HttpTransport, useValue: transport }],
	exports: [HttpTransport],
})
export class McpModule implements BeforeApplicationShutdown {
	@Inject(HttpTransport) readonly transport!: HttpTransport;
	@Inject(HttpAdapterHost) readonly adapter!: HttpAdapterHost;

	/** Before Nest closes its server: clients move to other nodes, and calls end. */
	async beforeApplicationShutdown(): Promise<void> {
		const server: Server = this.adapter.httpAdapter.getHttpServer();
		await shutdown(server, [this.transport], leaving);
	}
}
