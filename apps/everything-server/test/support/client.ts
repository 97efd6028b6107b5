import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { ClientCapabilities } from '@modelcontextprotocol/sdk/types.js';
import { expect, onTestFinished } from 'vitest';

/** A connected official client. */
export interface Connected {
	readonly client: Client;
	readonly sessionId: string;
	/** Calls a tool, and answers its structured content; fails unless the text content is the same. */
	call(name: string, args?: Record<string, unknown>): Promise<Record<string, unknown>>;
}

/** Connects the official client; `prepare` may give it handlers first. */
export async function connect(
	url: string,
	capabilities: ClientCapabilities = {},
	prepare?: (client: Client) => void,
): Promise<Connected> {
	const client = new Client({ name: 'test-client', version: '1.2.3' }, { capabilities });
	prepare?.(client);
	const transport = new StreamableHTTPClientTransport(new URL(url));
	await client.connect(transport);
	onTestFinished(() => client.close());
	return {
		client,
		sessionId: transport.sessionId ?? '',
		async call(name, args = {}) {
			const result = await client.callTool({ name, arguments: args });
			expect(result.isError, JSON.stringify(result.content)).toBeFalsy();
			const { structuredContent } = result;
			expect(result.content).toEqual([{ type: 'text', text: JSON.stringify(structuredContent) }]);
			return structuredContent as Record<string, unknown>;
		},
	};
}

/** The first `count` messages that `subscribe` hands on. */
export function take<T>(count: number, subscribe: (push: (message: T) => void) => void): Promise<T[]> {
	return new Promise((resolve) => {
		const taken: T[] = [];
		subscribe((message) => {
			taken.push(message);
			if (taken.length === count) resolve(taken);
		});
	});
}
