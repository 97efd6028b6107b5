import type { MaybePromise, Session } from '@holdfast/session-manager';
import type { JsonRpcMessage, RequestId } from './json-rpc.js';

/** Who sends a request, as the official SDKs pass it to handlers. */
export interface AuthInfo {
	token: string;
	clientId: string;
	scopes: string[];
	/** Seconds since the Unix epoch. */
	expiresAt?: number;
	resource?: URL;
	extra?: Record<string, unknown>;
}

/** What SDK v1 tells its handlers of an HTTP request. */
export interface RequestInfo {
	readonly headers: Record<string, string | string[] | undefined>;
	readonly url?: URL | undefined;
}

/** What an SDK server receives along with a message. SDK v1 reads `requestInfo`, v2 reads `request`. */
export interface MessageExtra {
	readonly authInfo?: AuthInfo | undefined;
	readonly requestInfo?: RequestInfo | undefined;
	readonly request?: unknown;
	/** Closes the connection of the request's stream, which lives on: the client resumes it later (2025-11-25). */
	closeSSEStream?: (() => void) | undefined;
	/** Does the same with the session stream. */
	closeStandaloneSSEStream?: (() => void) | undefined;
}

/** What an SDK server says about a message that it sends. */
export interface SendOptions {
	readonly relatedRequestId?: RequestId | undefined;
}

/** The `Transport` interface of the official SDKs, in a shape that fits both v1 and v2. */
export interface SdkTransport {
	readonly sessionId?: string | undefined;
	start(): Promise<void>;
	send(message: JsonRpcMessage, options?: SendOptions): Promise<void>;
	close(): Promise<void>;
	onclose?: (() => void) | undefined;
	onerror?: ((error: Error) => void) | undefined;
	// biome-ignore lint/suspicious/noExplicitAny: v1 and v2 type messages differently; both accept what readMessage does.
	onmessage?: ((message: any, extra?: any) => void) | undefined;
}

/**
 * A server of an official SDK: `McpServer` or `Server` of v1 (`@modelcontextprotocol/sdk`) or of v2
 * (`@modelcontextprotocol/server`).
 */
export interface SdkServer {
	// biome-ignore lint/suspicious/noExplicitAny: one parameter type that v1's and v2's `connect` both accept.
	connect(transport: any): Promise<void>;
	close(): Promise<void>;
}

/**
 * Makes the SDK server of one session. It is called again whenever a node needs the session and has no server for it:
 * after a restart, on another node, or after an eviction. So the result must depend on `session` alone; what must last
 * belongs in `session.state`.
 */
export type CreateServer = (session: Session) => MaybePromise<SdkServer>;

/**
 * Makes the SDK server of one session or, with the option `stateless`, of one request of 2026-07-28, which has none:
 * then `session` is `undefined`.
 */
export type CreateTwoEraServer = (session: Session | undefined) => MaybePromise<SdkServer>;
