// The example in the doc comment of event-bus.ts.
import { createMcpHandler, type McpHttpHandler, type McpServer } from '@modelcontextprotocol/server';
import { holdfastEventBus, type StreamSessionManager } from '../../src/index.ts';

export function bus(createMcpServer: () => McpServer, streams: StreamSessionManager): McpHttpHandler {
	//#region bus
	const handler = createMcpHandler(createMcpServer, { bus: holdfastEventBus(streams) });
	handler.notify.toolsChanged(); // reaches the clients of every node
	//#endregion bus
	return handler;
}
