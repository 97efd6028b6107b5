import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
	InMemoryInfoSessionManager,
	InMemoryStreamSessionManager,
	type Session,
	type StreamSessionManager,
} from '@holdfast/session-manager';
import { HttpTransport } from '@holdfast/transport-http';
import { describe, expect, it, onTestFinished } from 'vitest';
import { connectOfficial, type OfficialClient } from '../../../test/support/clients/official-client.ts';
import { NaiveStreams } from '../../../test/support/custom-managers.ts';
import { type Tool, v1McpServer } from '../../../test/support/servers.ts';
import { SseTransport } from '../src/index.ts';

const tools: Record<string, Tool> = {
	async hello({ here, outside, session }) {
		await outside.log('info', `outside ${session.id}`);
		await here.log('info', `here ${session.id}`);
		return 'hello';
	},
};

/** A process with both transports on one pair of managers. */
async function openProcess(streams: StreamSessionManager, info: InMemoryInfoSessionManager) {
	const make = (session: Session) => v1McpServer.make({ tools }, session);
	const errors: Error[] = [];
	const options = { sessionManager: { streams, info }, onerror: (error: Error) => errors.push(error) };
	const http = new HttpTransport(make, options);
	const sse = new SseTransport(make, options);
	const server = createServer((request, response) =>
		sse.handle(request, response, () => http.handle(request, response)),
	);
	await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
	onTestFinished(async () => {
		await Promise.all([http.close(), sse.close()]);
		server.closeAllConnections();
		await new Promise((resolve) => server.close(resolve));
	});
	return { http, sse, errors, origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

const managers = [
	{ name: 'managers in memory', make: () => new InMemoryStreamSessionManager() },
	{ name: 'a manager with four verbs', make: () => new NaiveStreams() },
];

describe.each(managers)('both transports in one server, on $name,', ({ make }) => {
	it('bring each message to each client once (defect 21), and notify reaches the clients of both', async () => {
		const process = await openProcess(make(), new InMemoryInfoSessionManager());
		const clients: OfficialClient[] = [];
		for (const wire of ['http', 'sse', 'http', 'sse'] as const) {
			clients.push(await connectOfficial('v1', process.origin, {}, wire));
		}
		for (const client of clients) {
			expect(await client.call('hello')).toBe('hello');
			// A client of Streamable HTTP has its session stream now.
			await client.untilLogged(2);
			await client.subscribe('a://1');
		}
		await process.http.notify.toolsChanged();
		await process.sse.notify.promptsChanged();
		await process.http.notify.resourceUpdated('a://1');
		await process.sse.notify.resourceUpdated('a://1');
		for (const client of clients) {
			await client.heard.count(6, 'change');
			const id = client.sessionId;
			expect(client.logged.sort()).toEqual([`here ${id}`, `outside ${id}`]);
			expect(client.heard.items.slice(2).map(({ method }) => method)).toEqual([
				'notifications/tools/list_changed',
				'notifications/prompts/list_changed',
				'notifications/resources/updated',
				'notifications/resources/updated',
			]);
			await client.ping();
		}
		expect(clients.map(({ heard }) => heard.items.length)).toEqual([6, 6, 6, 6]);
		expect(process.errors).toEqual([]);
	});

	it('hear of the ends of sessions on other processes', async () => {
		const [streams, info] = [make(), new InMemoryInfoSessionManager()];
		const [here, there] = [await openProcess(streams, info), await openProcess(streams, info)];
		const clients = {
			http: await connectOfficial('v1', here.origin, {}, 'http'),
			sse: await connectOfficial('v1', here.origin, {}, 'sse'),
		};
		for (const wire of ['http', 'sse'] as const) {
			await clients[wire].call('hello');
			await there[wire].terminate(clients[wire].sessionId, 'moved');
			await expect(clients[wire].call('hello')).rejects.toThrow('Session not found');
		}
	});
});
