import assert from 'node:assert/strict';
import type { NodeProcess } from '@holdfast/local-cluster';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js';

/** The official client with one session, whose calls alternate between the nodes. */
export class AlternatingClient {
	readonly #client = new Client({ name: 'session-state-client', version: '1.0.0' });
	readonly #transport: StreamableHTTPClientTransport;
	#posts = 0;

	private constructor(nodes: readonly NodeProcess[]) {
		this.#transport = new StreamableHTTPClientTransport(new URL('http://any-node/mcp'), {
			fetch: (_url, init) => {
				if (init?.method === 'POST') this.#posts += 1;
				const running = nodes.filter((node) => node.running);
				const node = running[this.#posts % running.length];
				assert.ok(node, 'a node runs');
				return fetch(node.url, init);
			},
		});
	}

	/** Opens a session. Nodes that have exited are skipped until they run again. */
	static async connect(nodes: readonly NodeProcess[]): Promise<AlternatingClient> {
		const client = new AlternatingClient(nodes);
		await client.#client.connect(client.#transport);
		return client;
	}

	/** Calls a tool and returns its structured content. */
	async call(name: string, args: Record<string, unknown> = {}): Promise<Record<string, unknown>> {
		const { text, isError } = await this.#callTool(name, args);
		assert.ok(!isError, text);
		return JSON.parse(text);
	}

	/** Calls a tool that must fail, and returns its error. */
	async refusal(name: string, args: Record<string, unknown> = {}): Promise<string> {
		const { text, isError } = await this.#callTool(name, args);
		assert.ok(isError, `${name} refuses ${JSON.stringify(args)}`);
		return text;
	}

	/** Ends the session. */
	async close(): Promise<void> {
		await this.#transport.terminateSession();
		await this.#client.close();
	}

	async #callTool(name: string, args: Record<string, unknown>): Promise<{ text: string; isError: boolean }> {
		const { content, isError = false } = (await this.#client.callTool({ name, arguments: args })) as CallToolResult;
		const [block] = content;
		assert.ok(block?.type === 'text');
		return { text: block.text, isError };
	}
}
