import {
	Client as ClientV2,
	StreamableHTTPClientTransport as HttpV2,
	SSEClientTransport as SseV2,
} from '@modelcontextprotocol/client';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport as SseV1 } from '@modelcontextprotocol/sdk/client/sse.js';
import { StreamableHTTPClientTransport as HttpV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport as TransportV1 } from '@modelcontextprotocol/sdk/shared/transport.js';

/** What one call is. */
export interface CallPlan {
	readonly name: string;
	readonly arguments: Record<string, unknown>;
}

/** An official client as it is, with none of our own fetch or reconnecting around it. */
export interface LoadClient {
	/** Calls a tool, and returns its structured content; rejects as the client does. */
	call(plan: CallPlan): Promise<Record<string, unknown>>;
	close(): Promise<void>;
}

/** Nobody waits longer for a call, in milliseconds. */
const CALL_TIMEOUT_MS = 30_000;

/** Connects an official client of SDK `sdk` over `wire` to the balancer at `origin`. */
export async function connect(sdk: 'v1' | 'v2', wire: 'http' | 'sse', origin: string): Promise<LoadClient> {
	const url = new URL(wire === 'http' ? '/mcp' : '/sse', origin);
	const who = { name: `load-${sdk}-${wire}`, version: '1.0.0' };
	const options = { timeout: CALL_TIMEOUT_MS };
	if (sdk === 'v1') {
		const client = new ClientV1(who);
		// The `sessionId` of the transport is declared in a way that exactOptionalPropertyTypes refuses.
		await client.connect((wire === 'http' ? new HttpV1(url) : new SseV1(url)) as TransportV1);
		return {
			call: async (plan) => contentOf(await client.callTool({ ...plan }, undefined, options)),
			close: () => client.close(),
		};
	}
	const client = new ClientV2(who);
	await client.connect(wire === 'http' ? new HttpV2(url) : new SseV2(url));
	return {
		call: async (plan) => contentOf(await client.callTool({ ...plan }, options)),
		close: () => client.close(),
	};
}

function contentOf(result: { readonly [key: string]: unknown }): Record<string, unknown> {
	if (result['isError'] === true) throw new Error(`The tool failed: ${JSON.stringify(result['content'])}`);
	return result['structuredContent'] as Record<string, unknown>;
}
