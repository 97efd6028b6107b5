import { HttpTransport, shutdown } from '@holdfast/transport-http';
import { bodyParser } from '@koa/bodyparser';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import Koa from 'koa';

export const transport = new HttpTransport((session) => {
	const server = new McpServer({ name: 'koa-example', version: '1.0.0' });
	server.registerTool('count', { description: 'Counts the calls of this session' }, async () => {
		const calls = await session.state.increment('calls');
		return { content: [{ type: 'text', text: `Call ${calls} of this session.` }] };
	});
	return server;
});

const app = new Koa();
// Before any body parser: the transport reads the body itself, and checks its size before it parses.
app.use((context, next) => {
	if (context.path !== '/mcp') return next();
	// The transport answers, now or later: Koa must not.
	context.respond = false;
	transport.handle(context.req, context.res);
});
app.use(bodyParser());
app.use((context) => {
	if (context.path === '/echo') context.body = context.request.body;
});

export const server = app.listen(Number(process.env.PORT ?? 3000), '127.0.0.1');
// Reports not ready, and lets the balancer go; clients move to other nodes, calls end, and everything closes.
process.once('SIGTERM', () => shutdown(server, [transport]));
