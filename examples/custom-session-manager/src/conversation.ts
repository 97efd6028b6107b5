import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ResourceUpdatedNotificationSchema } from '@modelcontextprotocol/sdk/types.js';

const DEADLINE_MS = 20_000;

/** A session of the official client that can send each request to another node. */
export class Conversation {
	readonly client = new Client({ name: 'conversation', version: '1.0.0' });
	/** The URL of the next request. */
	url: string;
	readonly #transport: StreamableHTTPClientTransport;
	#sessionId = '';

	private constructor(url: string) {
		this.url = url;
		this.#transport = new StreamableHTTPClientTransport(new URL(url), { fetch: (_, init) => this.#fetch(init) });
	}

	/** Opens a session and its stream at `url`. */
	static async open(url: string): Promise<Conversation> {
		const conversation = new Conversation(url);
		const streaming = conversation.streams();
		await conversation.client.connect(conversation.#transport);
		conversation.#sessionId = conversation.#transport.sessionId ?? '';
		await streaming;
		return conversation;
	}

	/** Calls a tool and returns its text. */
	async call(name: string): Promise<string> {
		const { content } = await this.client.callTool({ name, arguments: {} });
		const [block] = content as { text: string }[];
		return block?.text ?? '';
	}

	/** Resolves when the client opens its stream again. */
	streams(): Promise<void> {
		return before('The client opened no stream.', (resolve) => {
			this.#onstream = resolve;
		});
	}

	/** Resolves when the client is notified that a resource changed. */
	hears(): Promise<void> {
		return before('The client heard of no change.', (resolve) => {
			this.client.setNotificationHandler(ResourceUpdatedNotificationSchema, () => resolve());
		});
	}

	/** Returns the status of a node's response to a request of this session. */
	async statusAt(url: string): Promise<number> {
		const { status } = await fetch(url, {
			method: 'POST',
			headers: {
				Accept: 'application/json, text/event-stream',
				'Content-Type': 'application/json',
				'MCP-Protocol-Version': '2025-11-25',
				'Mcp-Session-Id': this.#sessionId,
			},
			body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' }),
		});
		return status;
	}

	/** Ends the session. */
	end(): Promise<void> {
		return this.#transport.terminateSession();
	}

	#onstream = () => {};

	async #fetch(init?: RequestInit): Promise<Response> {
		const response = await fetch(this.url, init);
		if (init?.method === 'GET' && response.ok) this.#onstream();
		return response;
	}
}

/** Rejects when `begin` has not resolved in time. */
function before(message: string, begin: (resolve: () => void) => void): Promise<void> {
	return new Promise((resolve, reject) => {
		const overdue = setTimeout(() => reject(new Error(message)), DEADLINE_MS);
		begin(() => {
			clearTimeout(overdue);
			resolve();
		});
	});
}
