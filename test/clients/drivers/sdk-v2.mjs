// @modelcontextprotocol/client, which speaks the older revisions, or finds out with `auto` what its server speaks.
import { parsed } from './parsed.mjs';

export const ways = [
	{ transport: 'http' },
	{ transport: 'http', mode: 'auto' },
	{ transport: 'sse' },
	{ transport: 'sse', mode: 'auto' },
];

export async function connect({ load, url, transport, mode }) {
	const { Client, SSEClientTransport, StreamableHTTPClientTransport } = await load();
	const options = mode === undefined ? {} : { versionNegotiation: { mode } };
	const client = new Client({ name: 'foreign-client', version: '1.0.0' }, options);
	let changes = 0;
	client.setNotificationHandler('notifications/tools/list_changed', () => {
		changes++;
	});
	const Transport = transport === 'sse' ? SSEClientTransport : StreamableHTTPClientTransport;
	await client.connect(new Transport(new URL(url)));
	return {
		list: async () => (await client.listTools()).tools.map(({ name }) => name),
		call: async (name, args) => parsed(await client.callTool({ name, arguments: args })),
		changes: () => changes,
		close: () => client.close(),
	};
}
