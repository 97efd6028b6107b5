import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Activity, OperatorConsole, type OperatorConsoleOptions } from '@holdfast/console';
import { InMemoryStreamSessionManager, type SessionRecord } from '@holdfast/session-manager';
import type { ObservedEvent } from '@holdfast/transport';
import { HttpTransport, type HttpTransportOptions } from '@holdfast/transport-http';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { CountingInfo } from './counting-info.ts';

/** A console beside a transport, on a server of its own. */
export interface ConsoleRig {
	/** The console's first page. */
	readonly url: string;
	/** The endpoint of the transport. */
	readonly endpoint: string;
	readonly info: CountingInfo;
	readonly activity: Activity;
	readonly transport: HttpTransport;
	/** What the audit was told. */
	readonly audit: Extract<ObservedEvent, { readonly type: 'audit' }>[];
	/** Cuts every connection. */
	cut(): void;
	close(): Promise<void>;
}

/** Starts a console in front of a transport, in memory. Whoever asks is Ann, unless `options` say otherwise. */
export async function startConsole(
	options: Partial<OperatorConsoleOptions> = {},
	transportOptions: HttpTransportOptions = {},
): Promise<ConsoleRig> {
	const clock = options.clock === undefined ? {} : { clock: options.clock };
	const info = new CountingInfo({ ...clock, maxSessions: 20_000 });
	const activity = new Activity(clock);
	const audit: ConsoleRig['audit'] = [];
	const transport = new HttpTransport(() => new McpServer({ name: 'node', version: '1' }), {
		sessionManager: { info, streams: new InMemoryStreamSessionManager(clock) },
		observe: [activity, { event: (event) => event.type === 'audit' && audit.push(event) }],
		onerror: () => {},
		...clock,
		...transportOptions,
	});
	const operators = new OperatorConsole({
		transport,
		info,
		activity,
		authorize: () => ({ name: 'ann' }),
		actions: ['suspend', 'end', 'export', 'erase'],
		...options,
	});
	const server = createServer((request, response) => {
		operators.handle(request, response, () => transport.handle(request, response));
	}).listen(0, '127.0.0.1');
	await once(server, 'listening');
	const { port } = server.address() as AddressInfo;
	const origin = `http://127.0.0.1:${port}`;
	return {
		url: `${origin}${(options.path ?? '/console').replace(/\/$/, '')}/`,
		endpoint: `${origin}/mcp`,
		info,
		activity,
		transport,
		audit,
		cut: () => server.closeAllConnections(),
		async close() {
			operators.close();
			await transport.close();
			server.close();
			server.closeAllConnections();
		},
	};
}

/** Makes a record of a session. */
export function recordOf(id: string, more: Partial<SessionRecord> & { readonly client?: string } = {}): SessionRecord {
	const { client = 'inspector', ...fields } = more;
	const now = Date.now();
	return {
		id,
		protocolVersion: '2025-11-25',
		initializeParams: {
			protocolVersion: '2025-11-25',
			capabilities: { sampling: {}, roots: { listChanged: true } },
			clientInfo: { name: client, version: '1.0' },
		},
		serverCapabilities: { tools: { listChanged: true } },
		createdAt: now,
		lastUsedAt: now,
		idleTtlMs: 1_800_000,
		...fields,
	};
}

/** Sends a form as a page of the console does. */
export async function sendForm(
	url: string,
	fields: Readonly<Record<string, string>>,
	headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
	return fetch(url, {
		method: 'POST',
		redirect: 'manual',
		headers: { origin: new URL(url).origin, ...headers },
		body: new URLSearchParams(fields),
	});
}

/** Returns the token of the forms on a page. */
export async function tokenOf(url: string): Promise<string> {
	const [, token = ''] = /name="token" value="([^"]+)"/.exec(await (await fetch(url)).text()) ?? [];
	return token;
}
