// @openai/agents
import { parsed } from './parsed.mjs';

export const ways = [{ transport: 'http' }, { transport: 'sse' }];

export async function connect({ load, url, transport }) {
	const { MCPServerStreamableHttp, MCPServerSSE } = await load();
	const Server = transport === 'sse' ? MCPServerSSE : MCPServerStreamableHttp;
	const server = new Server({ url, name: 'holdfast' });
	await server.connect();
	return {
		list: async () => (await server.listTools()).map(({ name }) => name),
		call: async (name, args) => parsed(await server.callTool(name, args)),
		close: () => server.close(),
	};
}
