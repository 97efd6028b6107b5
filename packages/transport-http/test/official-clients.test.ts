import { systemClock } from '@holdfast/session-manager/custom';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { describe, expect, it, onTestFinished } from 'vitest';
import { describeOfficialClients } from '../../../test/support/clients/client-cases.ts';
import { connectOfficial, pairs } from '../../../test/support/clients/official-client.ts';
import { within } from '../../../test/support/deadline.ts';
import { handleDoor } from '../../../test/support/doors.ts';
import { eventually } from '../../../test/support/eventually.ts';
import { Mailbox } from '../../../test/support/mailbox.ts';
import { Rig } from '../../../test/support/rig.ts';
import { type Tool, v2McpServer } from '../../../test/support/servers.ts';

const nothing = { sessions: 0, liveServers: 0, requestsInFlight: 0, requestsWaiting: 0, connections: 0, bodyBytes: 0 };

describeOfficialClients('http', async (sdk, tools) => {
	const { door, transport, errors } = await Rig.open(handleDoor, { sdk, clock: systemClock, retryMs: 10, tools });
	return { origin: door.origin, transport, errors };
});

describe.each(pairs)('the official client $client with a server of $server.name', ({ client: clientSdk, server }) => {
	async function connect(tools: Record<string, Tool> = {}) {
		const rig = await Rig.open(handleDoor, { sdk: server, clock: systemClock, retryMs: 10, tools });
		const client = await connectOfficial(clientSdk, rig.door.origin);
		return { client, rig, transport: rig.transport };
	}

	it('cancels a call by its AbortSignal: the tool is aborted, and the client does not ask for the rest for ever', async () => {
		const aborted = new Mailbox<string>();
		const { client, rig, transport } = await connect({
			async hang({ signal, here, outside }) {
				await outside.log('info', 'the session stream');
				await here.log('info', 'the stream of the call');
				await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
				aborted.push('hang');
				return 'too late';
			},
		});
		const abort = new AbortController();
		const call = client.call('hang', {}, { signal: abort.signal });
		call.catch(() => {});
		await client.untilLogged(2);
		abort.abort('enough');
		await expect(within(call, 'the end of the call')).rejects.toThrow();
		await aborted.count(1, 'abort of the tool');
		const gets = () => client.exchanges.items.filter(({ method }) => method === 'GET').map(({ status }) => status);
		await client.exchanges.until(() => gets().length >= 2, 'GET for the rest of the stream');
		expect(await client.call('echo', { text: 'next' })).toBe('next');
		await eventually(() => transport.stats()).toMatchObject({ requestsInFlight: 0, connections: 1 });
		// The first GET opened the session stream, the second learned that nothing follows.
		expect(gets()).toEqual([200, 405]);
		expect(rig.errors).toEqual([]);
	});

	it('ends its session with DELETE; what comes after is refused, and a new connection is a new session', async () => {
		const { client, rig, transport } = await connect();
		const first = client.sessionId;
		await client.terminate();
		expect(transport.stats()).toEqual(nothing);
		await expect(client.call('echo', { text: 'x' })).rejects.toThrow('Mcp-Session-Id header is required');
		const next = await connectOfficial(clientSdk, rig.door.origin);
		expect(await next.call('echo', { text: 'x' })).toBe('x');
		expect(next.sessionId).not.toBe(first);
	});

	it('learns with 404 that the server ended its session, and can start again', async () => {
		const { client, rig, transport } = await connect({
			async end({ session }) {
				await session.terminate('by a tool');
				return 'the last answer';
			},
		});
		const first = client.sessionId;
		expect(await client.call('end')).toBe('the last answer');
		await eventually(() => transport.stats()).toEqual(nothing);
		await expect(client.call('echo', { text: 'x' })).rejects.toThrow('Session not found');
		await client.close();
		const again = await connectOfficial(clientSdk, rig.door.origin);
		expect(await again.call('echo', { text: 'again' })).toBe('again');
		expect(again.sessionId).not.toBe(first);
		expect(rig.errors).toEqual([]);
	});
});

describe('the official client v2 that asks for the revision without sessions first', () => {
	const open = () => Rig.open(handleDoor, { sdk: v2McpServer, clock: systemClock });
	const connect = async (rig: Rig, mode: 'auto' | { pin: string }) => {
		const client = new Client({ name: 'modern', version: '1' }, { versionNegotiation: { mode } });
		onTestFinished(() => client.close());
		await client.connect(new StreamableHTTPClientTransport(new URL('/mcp', rig.door.origin)));
		return client;
	};

	it('falls back to a session', async () => {
		const client = await connect(await open(), 'auto');
		const { content } = await client.callTool({ name: 'echo', arguments: { text: 'x' } });
		expect(content).toEqual([{ type: 'text', text: 'x' }]);
	});

	it('learns that this server has nothing else', async () => {
		const rig = await open();
		await expect(connect(rig, { pin: '2026-07-28' })).rejects.toThrow();
		expect(rig.transport.stats()).toEqual(nothing);
	});
});
