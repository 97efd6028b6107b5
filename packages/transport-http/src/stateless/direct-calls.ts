import { isLogLevel } from '@holdfast/session-manager/custom';
import type { EntryRequest } from './entry-request.js';
import type { RequestServer } from './request-servers.js';

const REVISION = '2026-07-28';
const PREFIX = 'io.modelcontextprotocol/';
const CLIENT_INFO = `${PREFIX}clientInfo`;
const CLIENT_CAPABILITIES = `${PREFIX}clientCapabilities`;
/** How names begin that are written in base64. */
const SENTINEL = '=?base64?';

/** How many kinds of clients are known at most. */
const MAX_CLIENTS = 256;
/** The longest description of a client that is kept, in characters of JSON. */
const MAX_CLIENT_LENGTH = 4_096;

/** A `tools/call` as its client sent it. */
interface ToolCall {
	readonly params: Record<string, unknown> & { readonly name: string };
}

/**
 * Tool calls that can go straight to their server. Most of a call's time is spent on checks of the SDK's entry, whose
 * outcome is known where it has accepted the same client before and the rest of the request is plain: exactly the
 * members of a request, headers that say literally what the body says, no key in `_meta` that is not known here.
 * Anything else goes through the entry, which alone refuses requests.
 */
export class DirectCalls {
	/** What clients say of themselves, as JSON that the entry has accepted. */
	readonly #clients = new Set<string>();

	/** Returns whether the entry would pass the request to the server that is made for it. */
	isKnown(request: EntryRequest): boolean {
		if (this.#clients.size === 0 || !isPlainCall(request.message)) return false;
		const { params } = request.message;
		return headersAgree(request, params.name) && isPlainMeta(params['_meta']) && this.#knows(params['_meta']);
	}

	/**
	 * Keeps what the client says of itself: the entry has passed the request on to `server`, and made it known there in
	 * the way that `RequestServer.open` does.
	 */
	learn(message: unknown, server: RequestServer): void {
		if (!isPlainCall(message)) return;
		const meta = message.params['_meta'];
		if (!isPlainMeta(meta) || !server.wasToldOf(REVISION, meta[CLIENT_CAPABILITIES], meta[CLIENT_INFO])) return;
		const client = describe(meta);
		if (client.length > MAX_CLIENT_LENGTH || this.#clients.has(client)) return;
		if (this.#clients.size >= MAX_CLIENTS) this.#clients.clear();
		this.#clients.add(client);
	}

	/** Lets `server` talk to the client of the call, which is known. */
	open(server: RequestServer, { message }: EntryRequest): Promise<void> {
		const meta = (message as ToolCall).params['_meta'] as Record<string, unknown>;
		return server.open(REVISION, meta[CLIENT_CAPABILITIES], meta[CLIENT_INFO]);
	}

	#knows(meta: Record<string, unknown>): boolean {
		return this.#clients.has(describe(meta));
	}
}

/** Returns the name of the tool that a known request calls. */
export function toolOf({ message }: EntryRequest): string {
	return (message as ToolCall).params.name;
}

function isPlainCall(message: unknown): message is ToolCall {
	if (!isObject(message) || message['jsonrpc'] !== '2.0' || message['method'] !== 'tools/call') return false;
	const { id, params } = message;
	if (typeof id !== 'string' && !Number.isSafeInteger(id)) return false;
	return Object.keys(message).length === 4 && isObject(params) && typeof params['name'] === 'string';
}

function headersAgree({ call }: EntryRequest, name: string): boolean {
	return (
		call.header('content-type') === 'application/json' &&
		call.header('mcp-protocol-version') === REVISION &&
		call.header('mcp-method') === 'tools/call' &&
		call.header('mcp-name') === name &&
		!name.startsWith(SENTINEL)
	);
}

function isPlainMeta(meta: unknown): meta is Record<string, unknown> {
	if (!isObject(meta) || meta[`${PREFIX}protocolVersion`] !== REVISION) return false;
	for (const key of Object.keys(meta)) {
		const value = meta[key];
		switch (key) {
			case `${PREFIX}protocolVersion`:
			case CLIENT_INFO:
			case CLIENT_CAPABILITIES:
				break;
			case `${PREFIX}logLevel`:
				if (!isLogLevel(value)) return false;
				break;
			case 'progressToken':
				if (typeof value !== 'string' && !Number.isSafeInteger(value)) return false;
				break;
			case 'traceparent':
			case 'tracestate':
			case 'baggage':
				if (typeof value !== 'string') return false;
				break;
			default:
				return false;
		}
	}
	return true;
}

function describe(meta: Record<string, unknown>): string {
	return JSON.stringify({ info: meta[CLIENT_INFO], capabilities: meta[CLIENT_CAPABILITIES] });
}

function isObject(value: unknown): value is Record<string, unknown> {
	return typeof value === 'object' && value !== null && !Array.isArray(value);
}
