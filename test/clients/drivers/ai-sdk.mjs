// @ai-sdk/mcp
import { parsed } from './parsed.mjs';

export const ways = [{ transport: 'http' }, { transport: 'sse', reconnects: false }];

export function connect({ load, url, transport }) {
	return connectOver(load, { type: transport, url });
}

/** Connects over a transport, or over the one that is described. */
export async function connectOver(load, transport) {
	const { createMCPClient, experimental_createMCPClient } = await load();
	const client = await (createMCPClient ?? experimental_createMCPClient)({ transport });
	const tools = await client.tools();
	return {
		list: async () => Object.keys(await client.tools()),
		call: async (name, args) => parsed(await tools[name].execute(args, { toolCallId: 'call', messages: [] })),
		close: () => client.close(),
	};
}
