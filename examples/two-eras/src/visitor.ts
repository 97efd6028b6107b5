import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import type { NodeProcess } from '@holdfast/local-cluster';
import * as v2 from '@modelcontextprotocol/client';
import * as v1 from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { ElicitRequestSchema, ToolListChangedNotificationSchema } from '@modelcontextprotocol/sdk/types.js';

/** An official client, of either SDK and era, at the address of all nodes. */
export interface Visitor {
	readonly hasSession: boolean;
	/** Books a trip; returns what the tool answers, and the progress that it told of. */
	book(to: string): Promise<{ text: string; progress: number[] }>;
	close(): Promise<void>;
}

/** What a client does when it is asked, and when it hears of changed tools. */
export interface Ears {
	guests(): number | Promise<number>;
	toolsChanged(): void;
}

type Fetch = (url: string | URL, init?: RequestInit) => Promise<Response>;

/** The ways to connect, by name. */
export const kinds = ['v1', 'v2 legacy', 'v2 auto', 'v2 pinned'] as const;

const info = { name: 'two-eras-client', version: '1.0.0' };
const capabilities = { elicitation: {} };
const address = new URL('http://any-node/mcp');

/** Connects a client, whose requests go to the nodes in turn. */
export function connect(kind: (typeof kinds)[number], nodes: readonly NodeProcess[], ears: Ears): Promise<Visitor> {
	let turn = 0;
	const fetchAny: Fetch = (_url, init) => {
		const running = nodes.filter((node) => node.running);
		const node = running[turn++ % running.length];
		assert.ok(node, 'a node runs');
		return fetch(node.url, init);
	};
	if (kind === 'v1') return connectV1(fetchAny, ears);
	const mode = kind === 'v2 pinned' ? { pin: '2026-07-28' } : kind === 'v2 auto' ? 'auto' : 'legacy';
	return connectV2(mode, fetchAny, ears);
}

async function connectV1(fetchAny: Fetch, ears: Ears): Promise<Visitor> {
	const client = new v1.Client(info, { capabilities });
	client.setRequestHandler(ElicitRequestSchema, async () => ({
		action: 'accept',
		content: { guests: await ears.guests() },
	}));
	client.setNotificationHandler(ToolListChangedNotificationSchema, () => ears.toolsChanged());
	const transport = new TransportV1(address, { fetch: fetchAny });
	// Its `sessionId` is declared in a way that exactOptionalPropertyTypes refuses.
	await client.connect(transport as Transport);
	return {
		hasSession: transport.sessionId !== undefined,
		async book(to) {
			const progress: number[] = [];
			const onprogress = (told: { progress: number }) => progress.push(told.progress);
			const { content } = await client.callTool({ name: 'book', arguments: { to } }, undefined, { onprogress });
			return { text: textIn(content), progress };
		},
		close: () => client.close(),
	};
}

async function connectV2(
	mode: 'auto' | 'legacy' | { readonly pin: string },
	fetchAny: Fetch,
	ears: Ears,
): Promise<Visitor> {
	const client = new v2.Client(info, { capabilities, versionNegotiation: { mode } });
	client.setRequestHandler('elicitation/create', async () => ({
		action: 'accept',
		content: { guests: await ears.guests() },
	}));
	client.setNotificationHandler('notifications/tools/list_changed', () => ears.toolsChanged());
	const transport = new v2.StreamableHTTPClientTransport(address, { fetch: fetchAny });
	await client.connect(transport);
	const hasSession = transport.sessionId !== undefined;
	// A session hears on its own stream; without one, a client says what it wants to hear of.
	/** The handle of what the tool remembers; in a session there is none. */
	let bookings: string | undefined;
	let isOver = false;
	if (!hasSession) await listen(client, () => isOver);
	return {
		hasSession,
		async book(to) {
			const progress: number[] = [];
			const onprogress = (told: { progress: number; total?: number | undefined }) => {
				// The client counts its rounds of answers the same way, without a total.
				if (told.total !== undefined) progress.push(told.progress);
			};
			const args = { to, ...(bookings !== undefined && { bookings }) };
			const { content, structuredContent } = await client.callTool({ name: 'book', arguments: args }, { onprogress });
			bookings = (structuredContent as { bookings?: string }).bookings;
			return { text: textIn(content), progress };
		},
		close() {
			isOver = true;
			return client.close();
		},
	};
}

/** Listens, and listens again when the node of the stream goes away, until `isOver`. */
async function listen(client: v2.Client, isOver: () => boolean): Promise<void> {
	const { closed } = await client.listen({ toolsListChanged: true });
	void closed.then((why) => (why === 'remote' ? listenAgain(client, isOver) : undefined));
}

async function listenAgain(client: v2.Client, isOver: () => boolean): Promise<void> {
	await pause(100);
	if (!isOver()) await listen(client, isOver).catch(() => listenAgain(client, isOver));
}

function textIn(content: unknown): string {
	const [block] = content as { text: string }[];
	return block?.text ?? '';
}
