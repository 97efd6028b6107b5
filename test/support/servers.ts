import type { Session } from '@holdfast/session-manager';
import type { SdkServer } from '@holdfast/transport';
import { Server as V1Server } from '@modelcontextprotocol/sdk/server/index.js';
import { McpServer as V1McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import {
	CallToolRequestSchema,
	EmptyResultSchema,
	ListToolsRequestSchema,
	SubscribeRequestSchema,
	UnsubscribeRequestSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { McpServer as V2McpServer } from '@modelcontextprotocol/server';
import { z } from 'zod';
import type { Loose } from './clients/wire-response.ts';

/** What a tool can say about a question to the client. */
export interface AskOptions {
	readonly timeout?: number;
	readonly resetTimeoutOnProgress?: boolean;
	readonly signal?: AbortSignal;
	readonly onprogress?: (progress: Loose) => void;
}

/** The client as a tool sees it, over one stream. */
export interface Peer {
	elicit(params: Loose, options?: AskOptions): Promise<Loose>;
	sample(params: Loose, options?: AskOptions): Promise<Loose>;
	roots(options?: AskOptions): Promise<Loose>;
	ping(options?: AskOptions): Promise<Loose>;
	notify(method: string, params: Loose): Promise<void>;
	log(level: string, data: unknown): Promise<void>;
}

/** What a tool is called with, whichever SDK made its server. */
export interface Call {
	readonly args: Readonly<Record<string, Loose>>;
	readonly session: Session;
	readonly requestId: string | number;
	readonly progressToken: string | number | undefined;
	readonly signal: AbortSignal;
	/** The client on the stream of this call. */
	readonly here: Peer;
	/** The client on the session stream. */
	readonly outside: Peer;
	readonly closeStream: (() => void) | undefined;
	readonly closeSessionStream: (() => void) | undefined;
	readonly authInfo: Loose;
	/** A header of the HTTP request. */
	header(name: string): string | null | undefined;
	/** The URL of the HTTP request. */
	readonly url: string | undefined;
	/** Tells of progress with the client's own token. */
	progress(progress: number): Promise<void>;
}

/** A tool of a test: answers with a text. */
export type Tool = (call: Call) => string | Promise<string>;

/** What a test's server is made of. */
export interface ServerDesign {
	readonly tools: Readonly<Record<string, Tool>>;
	/** Whether the server handles subscriptions itself, beside declaring them. */
	readonly subscribeHandler?: boolean;
	/** Replaces what the server declares. */
	readonly capabilities?: Loose;
}

/** A way to make a server with an official SDK. */
export interface Sdk {
	readonly name: 'v1 McpServer' | 'v1 Server' | 'v2 McpServer';
	make(design: ServerDesign, session: Session): SdkServer;
}

const info = { name: 'test-server', version: '1.2.3' };
const everything = {
	logging: {},
	tools: { listChanged: true },
	prompts: { listChanged: true },
	resources: { subscribe: true, listChanged: true },
};

export const v1McpServer: Sdk = {
	name: 'v1 McpServer',
	make(design, session) {
		const server = new V1McpServer(info, { capabilities: design.capabilities ?? everything });
		for (const [name, tool] of Object.entries(design.tools)) {
			server.registerTool(name, { inputSchema: z.looseObject({}) }, async (args: Loose, extra: Loose) =>
				textResult(await tool(v1Call(server.server, session, args, extra))),
			);
		}
		if (design.subscribeHandler) handleV1Subscriptions(server.server);
		return server;
	},
};

export const v1Server: Sdk = {
	name: 'v1 Server',
	make(design, session) {
		const server = new V1Server(info, { capabilities: design.capabilities ?? everything });
		server.setRequestHandler(ListToolsRequestSchema, () => ({
			tools: Object.keys(design.tools).map((name) => ({ name, inputSchema: { type: 'object' as const } })),
		}));
		server.setRequestHandler(CallToolRequestSchema, async ({ params }, extra) => {
			const tool = design.tools[params.name];
			if (tool === undefined) throw new Error(`No tool ${params.name}.`);
			return textResult(await tool(v1Call(server, session, params.arguments ?? {}, extra)));
		});
		if (design.subscribeHandler) handleV1Subscriptions(server);
		return server;
	},
};

export const v2McpServer: Sdk = {
	name: 'v2 McpServer',
	make(design, session) {
		const server = new V2McpServer(info, { capabilities: design.capabilities ?? everything });
		for (const [name, tool] of Object.entries(design.tools)) {
			server.registerTool(name, { inputSchema: z.looseObject({}) }, async (args: Loose, context: Loose) =>
				textResult(await tool(v2Call(server, session, args, context))),
			);
		}
		if (design.subscribeHandler) {
			server.server.setRequestHandler('resources/subscribe', () => ({}));
			server.server.setRequestHandler('resources/unsubscribe', () => ({}));
		}
		return server;
	},
};

/** Every kind of server that a factory may make. */
export const sdks: readonly Sdk[] = [v1McpServer, v1Server, v2McpServer];

function textResult(text: string): { content: { type: 'text'; text: string }[] } {
	return { content: [{ type: 'text', text }] };
}

function handleV1Subscriptions(server: V1Server): void {
	server.setRequestHandler(SubscribeRequestSchema, () => ({}));
	server.setRequestHandler(UnsubscribeRequestSchema, () => ({}));
}

function v1Call(server: V1Server, session: Session, args: Loose, extra: Loose): Call {
	const related = { relatedRequestId: extra.requestId };
	return {
		args,
		session,
		requestId: extra.requestId,
		progressToken: extra._meta?.progressToken,
		signal: extra.signal,
		here: v1Peer(server, related, extra.sendNotification),
		outside: v1Peer(server, {}, (notification: Loose) => server.notification(notification)),
		closeStream: extra.closeSSEStream,
		closeSessionStream: extra.closeStandaloneSSEStream,
		authInfo: extra.authInfo,
		header: (name) => extra.requestInfo?.headers[name],
		url: extra.requestInfo?.url?.href,
		progress: (progress) => progressOn(extra.sendNotification, extra._meta?.progressToken, progress),
	};
}

function v1Peer(server: V1Server, related: Loose, notify: (notification: Loose) => Promise<void>): Peer {
	return {
		elicit: (params, options) => server.elicitInput(params, { ...options, ...related }),
		sample: (params, options) => server.createMessage(params, { ...options, ...related }),
		roots: (options) => server.listRoots({}, { ...options, ...related }),
		ping: (options) => server.request({ method: 'ping' }, EmptyResultSchema, { ...options, ...related }),
		notify: (method, params) => notify({ method, params }),
		log: (level, data) => notify({ method: 'notifications/message', params: { level, data } }),
	};
}

function v2Call(server: V2McpServer, session: Session, args: Loose, context: Loose): Call {
	const { mcpReq, http } = context;
	return {
		args,
		session,
		requestId: mcpReq.id,
		progressToken: mcpReq._meta?.progressToken,
		signal: mcpReq.signal,
		here: v2Peer(server, { relatedRequestId: mcpReq.id }, mcpReq.notify),
		outside: v2Peer(server, {}, (notification: Loose) => server.server.notification(notification)),
		closeStream: http?.closeSSE,
		closeSessionStream: http?.closeStandaloneSSE,
		authInfo: http?.authInfo,
		header: (name) => http?.req?.headers.get(name),
		url: http?.req?.url,
		progress: (progress) => progressOn(mcpReq.notify, mcpReq._meta?.progressToken, progress),
	};
}

function v2Peer({ server }: V2McpServer, related: Loose, notify: (notification: Loose) => Promise<void>): Peer {
	return {
		elicit: (params, options) => server.elicitInput(params, { ...options, ...related }),
		sample: (params, options) => server.createMessage(params, { ...options, ...related }),
		roots: (options) => server.listRoots({}, { ...options, ...related }),
		ping: (options) => server.request({ method: 'ping' }, { ...options, ...related }),
		notify: (method, params) => notify({ method, params }),
		log: (level, data) => notify({ method: 'notifications/message', params: { level, data } }),
	};
}

function progressOn(notify: (notification: Loose) => Promise<void>, token: Loose, progress: number): Promise<void> {
	return notify({ method: 'notifications/progress', params: { progressToken: token, progress } });
}
