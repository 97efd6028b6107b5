import { McpServer as McpServerV1 } from '@modelcontextprotocol/sdk/server/mcp.js';
import { McpServer as McpServerV2 } from '@modelcontextprotocol/server';
import { describe, expect, it } from 'vitest';
import { settle } from '../../../../test/support/deadline.ts';
import type { JsonRpcMessage } from '../../src/protocol/json-rpc.ts';
import type { SdkServer, SdkTransport } from '../../src/protocol/sdk.ts';
import { ServerInlet } from '../../src/protocol/server-inlet.ts';

const info = { name: 'inlet', version: '1' };
const servers: readonly (readonly [name: string, make: () => SdkServer])[] = [
	['McpServer of v1', () => new McpServerV1(info)],
	['McpServer of v2', () => new McpServerV2(info)],
	['Server of v1', () => new McpServerV1(info).server],
	['Server of v2', () => new McpServerV2(info).server],
];

/** No schema of the SDK lets the last member through, so only who is not asked them sees this message. */
const ping = { jsonrpc: '2.0', id: 1, method: 'ping', more: true } as const;
const initialized = { jsonrpc: '2.0', method: 'notifications/initialized', more: true } as const;

class Inlet extends ServerInlet implements SdkTransport {
	readonly sent: JsonRpcMessage[] = [];
	readonly errors: Error[] = [];

	async start(): Promise<void> {}

	async send(message: JsonRpcMessage): Promise<void> {
		this.sent.push(message);
	}

	async close(): Promise<void> {
		this.onclose?.();
	}

	/** Passes both messages, and returns how many responses the server has sent. */
	async pass(server: SdkServer): Promise<number> {
		this.passNotification(server, initialized);
		this.passRequest(server, ping);
		await settle();
		return this.sent.length;
	}
}

function onInitialized(server: SdkServer, heard: () => void): void {
	const { server: inner = server } = server as { server?: object } & SdkServer;
	(inner as { oninitialized?: () => void }).oninitialized = heard;
}

describe.each(servers)('what reaches %s', (_name, make) => {
	it('is not recognised again by the SDK', async () => {
		const [server, inlet] = [make(), new Inlet()];
		let heard = 0;
		onInitialized(server, () => heard++);
		await server.connect(inlet);
		expect(inlet.isUnwatched(server)).toBe(true);
		expect([await inlet.pass(server), heard]).toEqual([1, 1]);
	});

	it('is heard by who has put a handler of its own before that of the SDK', async () => {
		const [server, inlet, heard] = [make(), new Inlet(), [] as string[]];
		await server.connect(inlet);
		const { onmessage } = inlet;
		inlet.onmessage = (message, extra) => {
			if ('method' in message) heard.push(message.method);
			onmessage?.(message, extra);
		};
		expect(inlet.isUnwatched(server)).toBe(false);
		await inlet.pass(server);
		expect(heard).toEqual(['notifications/initialized', 'ping']);
	});

	it('is heard by who was there before the SDK', async () => {
		const [server, inlet, heard] = [make(), new Inlet(), [] as string[]];
		inlet.onmessage = (message) => {
			if ('method' in message) heard.push(message.method);
		};
		await server.connect(inlet);
		await inlet.pass(server);
		expect(heard).toEqual(['notifications/initialized', 'ping']);
	});

	it('passes through a transport that somebody has put around this one', async () => {
		const [server, inlet, heard] = [make(), new Inlet(), [] as string[]];
		const around: SdkTransport = {
			start: async () => {
				inlet.onmessage = (message) => {
					if ('method' in message) heard.push(message.method);
				};
				inlet.onclose = () => around.onclose?.();
			},
			send: (message) => inlet.send(message),
			close: () => inlet.close(),
		};
		await server.connect(around);
		expect(inlet.isUnwatched(server)).toBe(false);
		await inlet.pass(server);
		expect(heard).toEqual(['notifications/initialized', 'ping']);
	});

	it('reaches nobody before the server is connected', async () => {
		expect(await new Inlet().pass(make())).toBe(0);
	});
});
