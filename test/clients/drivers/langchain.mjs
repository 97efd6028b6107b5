// @langchain/mcp-adapters
import { parsed } from './parsed.mjs';

export const ways = [{ transport: 'http' }, { transport: 'sse' }];

export async function connect({ load, url, transport }) {
	const { MultiServerMCPClient } = await load();
	const client = new MultiServerMCPClient({ mcpServers: { holdfast: { transport, url } } });
	const tools = await client.getTools();
	return {
		list: async () => (await client.getTools()).map(({ name }) => name),
		call: async (name, args) => parsed(await tools.find((tool) => tool.name === name).invoke(args)),
		close: () => client.close(),
	};
}
