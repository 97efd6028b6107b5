import type { RequestServer } from './request-servers.js';
import type { StatelessCall } from './stateless-call.js';
import { isTaskRequest } from './tasks/task-requests.js';

/** Characters that are written in base64 where they are part of a value (2026-07-28, Transports, Value Encoding). */
const FOREIGN = /[^\t\x20-\x7e]/;
const MCP = /^mcp-/i;
/** Base64 that is none: the entry refuses it, where it would compare raw bytes with the text of the body. */
const UNREADABLE = '=?base64?!?=';

/**
 * What the SDK's entry reads of a request whose body is parsed: method and headers. A real `Request` would cost more
 * than all the checks.
 */
export class EntryRequest {
	readonly method = 'POST';
	readonly signal = undefined;
	readonly call: StatelessCall;
	/** The parsed body. */
	readonly message: unknown;
	/** The server that was made for it already. */
	server: Promise<RequestServer> | undefined;

	constructor(call: StatelessCall, message: unknown) {
		this.call = call;
		this.message = message;
	}

	/** Returns the request that the entry passes on. */
	static of(request: unknown): EntryRequest | undefined {
		return request instanceof EntryRequest ? request : undefined;
	}

	/** Whether a stream of notices is asked for. */
	get isListen(): boolean {
		return (this.message as { readonly method?: unknown }).method === 'subscriptions/listen';
	}

	/** Whether it asks for a task, answers one's question or cancels one. */
	get isAboutTask(): boolean {
		return isTaskRequest(this.message as { readonly method?: unknown });
	}

	/** Whether it asks what the server can do. */
	get isDiscover(): boolean {
		return (this.message as { readonly method?: unknown }).method === 'server/discover';
	}

	get headers(): { readonly get: (name: string) => string | null } {
		return {
			get: (name) => {
				const value = this.call.header(name);
				return value === null || !FOREIGN.test(value) || !MCP.test(name) ? value : UNREADABLE;
			},
		};
	}

	/** This request, as the entry's parameter is declared. */
	asRequest(): Request {
		return this as unknown as Request;
	}
}
