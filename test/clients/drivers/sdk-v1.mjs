// @modelcontextprotocol/sdk
import { parsed } from './parsed.mjs';

export const ways = [{ transport: 'http' }, { transport: 'sse' }];

export async function connect({ load, url, transport }) {
	const [module, name] =
		transport === 'sse'
			? [await load('/client/sse.js'), 'SSEClientTransport']
			: [await load('/client/streamableHttp.js'), 'StreamableHTTPClientTransport'];
	return connectOver(load, new module[name](new URL(url)));
}

/** Connects a client of this SDK over a transport. */
export async function connectOver(load, transport) {
	const { Client } = await load('/client/index.js');
	const { ToolListChangedNotificationSchema } = await load('/types.js');
	const client = new Client({ name: 'foreign-client', version: '1.0.0' }, { capabilities: {} });
	let changes = 0;
	client.setNotificationHandler(ToolListChangedNotificationSchema, () => {
		changes++;
	});
	await client.connect(transport);
	return {
		list: async () => (await client.listTools()).tools.map(({ name }) => name),
		call: async (name, args) => parsed(await client.callTool({ name, arguments: args })),
		changes: () => changes,
		close: () => client.close(),
	};
}
