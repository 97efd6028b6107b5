import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { connectOfficial } from '../../../test/support/clients/official-client.ts';
import { tools } from '../../../test/support/rig.ts';
import { v1McpServer } from '../../../test/support/servers.ts';
import { SseTransport } from '../src/index.ts';

const PREFIX = '/tools/v1';
const clients = ['v1', 'v2'] as const;

it.each([
	...clients.map((sdk) => ({ sdk, what: 'path', endpointAt: () => `${PREFIX}/messages` })),
	...clients.map((sdk) => ({ sdk, what: 'URL', endpointAt: (origin: string) => `${origin}${PREFIX}/messages` })),
])(
	'the official client $sdk works where a proxy takes off a prefix, told of it as a $what',
	async ({ sdk, endpointAt }) => {
		// What a proxy does to the path, as in `location /tools/v1/ { proxy_pass http://nodes/; }` of nginx.
		const server = createServer((request, response) => {
			if (!request.url?.startsWith(`${PREFIX}/`)) return response.writeHead(404).end();
			request.url = request.url.slice(PREFIX.length);
			transport.handle(request, response);
		});
		await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
		const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
		const transport = new SseTransport((session) => v1McpServer.make({ tools }, session), {
			publicEndpoint: endpointAt(origin),
		});
		onTestFinished(async () => {
			await transport.close();
			server.closeAllConnections();
			await new Promise((resolve) => server.close(resolve));
		});
		const client = await connectOfficial(sdk, `${origin}${PREFIX}`, {}, 'sse');
		expect(await client.call('echo', { text: 'x' })).toBe('x');
		expect(client.errors).toEqual([]);
	},
);
