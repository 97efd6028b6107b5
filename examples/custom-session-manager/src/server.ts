// One node. Start any number of them with the same NATS: together they are one MCP server.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { HttpTransport, shutdown } from '@holdfast/transport-http';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { connect } from '@nats-io/transport-node';
import { openManagers } from './open-managers.js';

const { PORT = '3001', NATS_URL = 'nats://127.0.0.1:4222' } = process.env;

const nats = await connect({ servers: NATS_URL, maxReconnectAttempts: -1 });
const { streams, info } = await openManagers(nats, 'holdfast');

const report = 'file:///report.md';
const transport = new HttpTransport(
	(session) => {
		const server = new McpServer(
			{ name: 'custom-session-manager', version: '1.0.0' },
			{ capabilities: { resources: { subscribe: true } } },
		);
		server.registerTool('count', { description: 'Counts the calls of this session' }, async () => {
			const calls = await session.state.increment('calls');
			return { content: [{ type: 'text', text: `${calls} on ${transport.nodeId}` }] };
		});
		server.registerResource('report', report, {}, () => ({ contents: [{ uri: report, text: 'All is well.' }] }));
		server.registerTool(
			'write_report',
			{ description: 'Tells who is subscribed that the report changed' },
			async () => {
				await transport.notify.resourceUpdated(report);
				return { content: [] };
			},
		);
		return server;
	},
	{ sessionManager: { streams, info }, onerror: (error) => console.error(error) },
);

const server = createServer(transport.handle).listen(Number(PORT), '127.0.0.1', () => {
	console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`);
});

process.once('SIGTERM', async () => {
	// No balancer has to notice first.
	await shutdown(server, [transport], { delayMs: 0, idleConnectionsMs: 0 });
	await nats.close();
});
