// One server with as many processes as the machine has cores. They share a port and a file: together they are one MCP
// server, and a process that dies is replaced.
import cluster from 'node:cluster';
import { createServer } from 'node:http';
import { availableParallelism } from 'node:os';
import { sqliteSessionManager } from '@holdfast/session-manager-sqlite';
import { HttpTransport, shutdown } from '@holdfast/transport-http';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';

const { PORT = '3000', SESSIONS = './sessions.db' } = process.env;

if (cluster.isPrimary) supervise(Math.max(2, availableParallelism()));
else serve();

function supervise(count: number): void {
	let isStopping = false;
	for (let n = 0; n < count; n++) cluster.fork();
	cluster.on('exit', () => {
		if (!isStopping) cluster.fork();
	});
	let listening = 0;
	cluster.on('listening', (_, { port }) => {
		if (++listening === count) console.log(`http://127.0.0.1:${port}/mcp`);
	});
	process.once('SIGTERM', () => {
		isStopping = true;
		for (const worker of Object.values(cluster.workers ?? {})) worker?.process.kill('SIGTERM');
		cluster.disconnect();
	});
}

function serve(): void {
	const sessionManager = sqliteSessionManager(SESSIONS);
	const transport = new HttpTransport(
		(session) => {
			const server = new McpServer({ name: 'one-host', version: '1.0.0' });
			server.registerTool('count', { description: 'Counts the calls of this session' }, async () => {
				const calls = await session.state.increment('calls');
				return { content: [{ type: 'text', text: `${calls} in ${process.pid}` }] };
			});
			return server;
		},
		{ sessionManager, onerror: (error) => console.error(error.message) },
	);
	const server = createServer(transport.handle).listen(Number(PORT), '127.0.0.1');
	process.once('SIGTERM', async () => {
		await shutdown(server, [transport]);
		await sessionManager.close();
		process.exit();
	});
}
