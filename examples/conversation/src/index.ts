import assert from 'node:assert/strict';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ToolListChangedNotificationSchema } from '@modelcontextprotocol/sdk/types.js';

const DEADLINE_MS = 10_000;

/**
 * Talks to the server at `url` as the official client does, and throws when a response is not as expected. The server
 * must offer one tool, `count`, which counts the calls of its session. `change` must make it announce that its tools
 * have changed.
 */
export async function converse(url: string, change: () => Promise<unknown>): Promise<void> {
	const first = await connect(url);
	const { tools } = await first.client.listTools();
	assert.deepEqual(
		tools.map(({ name }) => name),
		['count'],
	);
	assert.equal(await count(first.client), 'Call 1 of this session.');
	assert.equal(await count(first.client), 'Call 2 of this session.');

	const second = await connect(url);
	assert.equal(await count(second.client), 'Call 1 of this session.');

	const changes = Promise.all([nextToolListChange(first.client), nextToolListChange(second.client)]);
	await change();
	await changes;

	await first.transport.terminateSession();
	assert.equal(await statusOfPing(url, first.sessionId), 404, 'a session that its client ended no longer exists');
	assert.equal(await count(second.client), 'Call 2 of this session.');

	await first.client.close();
	await second.client.close();
}

async function connect(url: string) {
	const client = new Client({ name: 'conversation', version: '1.0.0' });
	const transport = new StreamableHTTPClientTransport(new URL(url));
	await client.connect(transport);
	const { sessionId } = transport;
	assert.ok(sessionId, 'the server opens a session');
	return { client, transport, sessionId };
}

async function count(client: Client): Promise<string> {
	const { content } = await client.callTool({ name: 'count', arguments: {} });
	const [block] = content as [{ type: string; text: string }];
	return block.text;
}

function nextToolListChange(client: Client): Promise<void> {
	return new Promise((resolve, reject) => {
		const overdue = setTimeout(() => reject(new Error('The client was not notified of the change.')), DEADLINE_MS);
		client.setNotificationHandler(ToolListChangedNotificationSchema, () => {
			clearTimeout(overdue);
			resolve();
		});
	});
}

async function statusOfPing(url: string, sessionId: string): Promise<number> {
	const { status } = await fetch(url, {
		method: 'POST',
		headers: {
			Accept: 'application/json, text/event-stream',
			'Content-Type': 'application/json',
			'MCP-Protocol-Version': '2025-11-25',
			'Mcp-Session-Id': sessionId,
		},
		body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' }),
	});
	return status;
}
