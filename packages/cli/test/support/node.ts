import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { HttpTransport, type HttpTransportOptions } from '@holdfast/transport-http';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { onTestFinished } from 'vitest';
import { until } from '../../../../test/support/until.ts';

/** A server with one transport. */
export interface Node {
	readonly port: number;
	/** Its endpoint. */
	readonly url: string;
	readonly transport: HttpTransport;
}

/** Starts a node, which ends with the test. */
export async function startNode(options: HttpTransportOptions = {}): Promise<Node> {
	const transport = new HttpTransport(
		() =>
			new McpServer({ name: 'node', version: '1' }, { capabilities: { tools: {}, resources: { subscribe: true } } }),
		{ onerror: () => {}, keepAliveMs: 100, ...options },
	);
	const server = createServer(transport.handle).listen(0, '127.0.0.1');
	await once(server, 'listening');
	onTestFinished(async () => {
		await transport.close();
		server.closeAllConnections();
		server.close();
	});
	const { port } = server.address() as AddressInfo;
	return { port, url: `http://127.0.0.1:${port}/mcp`, transport };
}

/** Resolves once all nodes are ready: on a busy machine, a store may be late at first. */
export function ready(nodes: readonly Node[]): Promise<unknown> {
	return until('the nodes are ready', async () =>
		(await Promise.all(nodes.map(({ transport }) => transport.isReady()))).every(Boolean),
	);
}
