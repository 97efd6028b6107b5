import type { MaybePromise, Session } from '@holdfast/session-manager';
import type { JsonRpcMessage, RequestId } from './json-rpc.js';

/** Who makes a request, as the official SDKs pass it to handlers. */
export interface AuthInfo {
	token: string;
	clientId: string;
	scopes: string[];
	/** Seconds since the Unix epoch. */
	expiresAt?: number;
	resource?: URL;
	extra?: Record<string, unknown>;
}

/** What goes with a message into an SDK server: v1 reads `requestInfo`, v2 `request`. */
export interface MessageExtra {
	readonly authInfo?: AuthInfo | undefined;
	readonly requestInfo?: { readonly headers: Record<string, string | string[] | undefined> } | undefined;
	readonly request?: unknown;
	/** Closes the connection, not the stream, of the request; the client comes back for the rest (2025-11-25). */
	closeSSEStream?: (() => void) | undefined;
	/** The same for the session stream. */
	closeStandaloneSSEStream?: (() => void) | undefined;
}

/** What an SDK server says about a message it sends. */
export interface SendOptions {
	readonly relatedRequestId?: RequestId | undefined;
}

/** The `Transport` of the official SDKs, v1 and v2, in the one shape that fits both. */
export interface SdkTransport {
	readonly sessionId?: string | undefined;
	start(): Promise<void>;
	send(message: JsonRpcMessage, options?: SendOptions): Promise<void>;
	close(): Promise<void>;
	onclose?: (() => void) | undefined;
	onerror?: ((error: Error) => void) | undefined;
	// biome-ignore lint/suspicious/noExplicitAny: the SDKs' message types differ between v1 and v2; both take what readMessage lets through.
	onmessage?: ((message: any, extra?: any) => void) | undefined;
}

/** A server of either official SDK: `McpServer` or `Server` of v1 (`@modelcontextprotocol/sdk`) or v2 (`@modelcontextprotocol/server`). */
export interface SdkServer {
	// biome-ignore lint/suspicious/noExplicitAny: one parameter type that v1's and v2's `connect` both accept.
	connect(transport: any): Promise<void>;
	close(): Promise<void>;
}

/**
 * Makes the server of one session. It is called again whenever a node needs the session and has no server of it: after a
 * restart, on another node, or when memory was freed. So it must depend on `session` alone; what has to last belongs in
 * `session.state`.
 */
export type CreateServer = (session: Session) => MaybePromise<SdkServer>;
