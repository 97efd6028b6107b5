// A node as the README tells to write it: Redis, and shutdown on SIGTERM.
import { createServer } from 'node:http';
import { redisSessionManager } from '@holdfast/session-manager-redis';
import { HttpTransport, shutdown } from '@holdfast/transport-http';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';

const { REDIS_URL = 'redis://127.0.0.1:6379' } = process.env;
const sessionManager = redisSessionManager(REDIS_URL);
const makeServer = () => new McpServer({ name: 'readme', version: '1.0.0' });
const transport = new HttpTransport(makeServer, { sessionManager });
const server = createServer(transport.handle).listen(0, '127.0.0.1', () => {
	console.log(`http://127.0.0.1:${server.address().port}/mcp`);
});
process.once('SIGTERM', () => shutdown(server, [transport]).then(() => console.log('All is closed.')));
