// @mastra/mcp, whose tools return the structured content itself.
export const ways = [{ transport: 'http' }];

export async function connect({ load, url }) {
	const { MCPClient } = await load();
	const client = new MCPClient({ servers: { holdfast: { url: new URL(url) } } });
	const tools = await client.listTools();
	return {
		list: async () => Object.keys(await client.listTools()).map((name) => name.replace('holdfast_', '')),
		call: (name, args) => tools[`holdfast_${name}`].execute(args, {}),
		close: () => client.disconnect(),
	};
}
