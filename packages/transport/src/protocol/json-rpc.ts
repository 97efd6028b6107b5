import { Buffer } from 'node:buffer';
import { SessionManagerError } from '@holdfast/session-manager';

/** An id of a JSON-RPC request. MCP forbids `null` and fractions. */
export type RequestId = string | number;

/** Params of a request or notification: MCP allows objects only. */
export type Params = { readonly [key: string]: unknown };

/** A message that expects a response. */
export interface JsonRpcRequest {
	readonly jsonrpc: '2.0';
	readonly id: RequestId;
	readonly method: string;
	readonly params?: Params;
}

/** A message that expects no response. */
export interface JsonRpcNotification {
	readonly jsonrpc: '2.0';
	readonly method: string;
	readonly params?: Params;
}

/** The response to a request that succeeded. */
export interface JsonRpcResult {
	readonly jsonrpc: '2.0';
	readonly id: RequestId;
	readonly result: Params;
}

/** The response to a request that failed. */
export interface JsonRpcFailure {
	readonly jsonrpc: '2.0';
	readonly id: RequestId;
	readonly error: { readonly code: number; readonly message: string; readonly data?: unknown };
}

/** The response to a request: its result or an error. */
export type JsonRpcResponse = JsonRpcResult | JsonRpcFailure;

/** Any JSON-RPC message of MCP. */
export type JsonRpcMessage = JsonRpcRequest | JsonRpcNotification | JsonRpcResponse;

/** Error codes on the wire: those of JSON-RPC 2.0, and those that the official SDKs use with Streamable HTTP. */
export const ErrorCode = Object.freeze({
	PARSE_ERROR: -32700,
	INVALID_REQUEST: -32600,
	INVALID_PARAMS: -32602,
	METHOD_NOT_FOUND: -32601,
	INTERNAL_ERROR: -32603,
	/** The transport refused the request, or the connection to the server ended. */
	REFUSED: -32000,
	/** The session is unknown or has ended. */
	SESSION_NOT_FOUND: -32001,
	/** There is no such resource (2025-11-25, Resources, Error Handling). */
	RESOURCE_NOT_FOUND: -32002,
	/** The client did not declare what the request needs (2026-07-28). */
	MISSING_CLIENT_CAPABILITY: -32021,
	/** The request is written in a revision that is not served (2026-07-28). */
	UNSUPPORTED_PROTOCOL_VERSION: -32022,
});

/** Returns whether `message` expects a response. */
export function isRequest(message: JsonRpcMessage): message is JsonRpcRequest {
	return 'method' in message && 'id' in message;
}

/** Returns whether `message` has a method: a request or a notification. */
export function hasMethod(message: JsonRpcMessage): message is JsonRpcRequest | JsonRpcNotification {
	return 'method' in message;
}

/**
 * Validates one JSON-RPC message of a client; `undefined` when it is none. Unknown members are left out. It is written
 * by hand because a schema costs a hundred times as much. It must be as strict as the SDKs' own schemas: the SDKs drop
 * messages that they reject without a response.
 */
export function readMessage(value: unknown): JsonRpcMessage | undefined {
	if (!isObject(value) || value['jsonrpc'] !== '2.0') return undefined;
	const { id, method, params, result, error } = value;
	if (method !== undefined) {
		if (typeof method !== 'string' || !isParams(params)) return undefined;
		if (id === undefined) return params === undefined ? { jsonrpc: '2.0', method } : { jsonrpc: '2.0', method, params };
		if (!isRequestId(id)) return undefined;
		return params === undefined ? { jsonrpc: '2.0', id, method } : { jsonrpc: '2.0', id, method, params };
	}
	if (!isRequestId(id)) return undefined;
	if (result !== undefined) {
		return error === undefined && isObject(result) && isParams(result) ? { jsonrpc: '2.0', id, result } : undefined;
	}
	if (!isObject(error)) return undefined;
	const { code, message, data } = error;
	if (!Number.isSafeInteger(code) || typeof message !== 'string') return undefined;
	return { jsonrpc: '2.0', id, error: { code: code as number, message, ...(data !== undefined && { data }) } };
}

/**
 * Serializes a message. Throws `limit` where it is longer than `maxBytes`, and a `TypeError` that names `what` where
 * JSON cannot hold it.
 */
export function writeMessage(message: JsonRpcMessage, maxBytes: number, what = nameOf(message)): string {
	const json = jsonOf(message, what);
	// No character has more than three bytes.
	if (json.length * 3 <= maxBytes) return json;
	const bytes = Buffer.byteLength(json);
	if (bytes <= maxBytes) return json;
	throw new SessionManagerError('limit', `The message has ${bytes} bytes; maxMessageBytes allows ${maxBytes}.`);
}

/** Returns what a request asks for, to be named in an error. */
function nameOf(message: JsonRpcMessage): string {
	if (!('method' in message)) return 'A response';
	const { method, params } = message;
	const name = method === 'tools/call' || method === 'prompts/get' ? params?.['name'] : undefined;
	return typeof name === 'string' ? `${method} ${name.slice(0, 100)}` : method;
}

function jsonOf(message: JsonRpcMessage, what: string): string {
	try {
		return JSON.stringify(message);
	} catch (cause) {
		// That of a cycle goes on for several lines.
		const [reason = ''] = (cause instanceof Error ? cause.message : String(cause)).split('\n', 1);
		throw new TypeError(`${what} cannot be written as JSON: ${reason}`, { cause });
	}
}

/**
 * Serializes a response. A result that is longer than `maxBytes`, or that JSON cannot hold (a bigint, a cycle, too deep
 * a nesting), is reported, by the name of the `request` where that is known, and an error takes its place, so that the
 * client does not wait for ever.
 */
export function writeResponse(
	response: JsonRpcResponse,
	maxBytes: number,
	report: (error: unknown) => void,
	request?: JsonRpcRequest,
): string {
	try {
		return writeMessage(response, maxBytes, request && `The result of ${nameOf(request)}`);
	} catch (error) {
		report(error);
		const isTooLong = error instanceof SessionManagerError;
		const message = isTooLong
			? `The result is longer than the ${maxBytes} bytes that this server sends.`
			: 'The result cannot be written as JSON.';
		return JSON.stringify({ jsonrpc: '2.0', id: response.id, error: { code: ErrorCode.INTERNAL_ERROR, message } });
	}
}

/** Returns the id of a body that is a request, or that fails to be one; `undefined` for anything else. */
export function requestIdOf(body: unknown): RequestId | undefined {
	if (!isObject(body) || 'result' in body || 'error' in body) return undefined;
	const { id } = body;
	return isRequestId(id) ? id : undefined;
}

/** Returns whether `value` can be the id of a request. */
export function isRequestId(value: unknown): value is RequestId {
	return typeof value === 'string' || Number.isSafeInteger(value);
}

/** Returns whether `value` is an object and not an array. */
export function isObject(value: unknown): value is Record<string, unknown> {
	return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isParams(value: unknown): value is Params | undefined {
	if (value === undefined) return true;
	if (!isObject(value)) return false;
	const meta = value['_meta'];
	if (meta === undefined) return true;
	if (!isObject(meta)) return false;
	const token = meta['progressToken'];
	if (token !== undefined && !isRequestId(token)) return false;
	const task = meta['io.modelcontextprotocol/related-task'];
	return task === undefined || (isObject(task) && typeof task['taskId'] === 'string');
}
