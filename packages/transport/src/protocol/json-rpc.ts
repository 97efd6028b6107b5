/** An id of a JSON-RPC request. MCP forbids `null` and fractions. */
export type RequestId = string | number;

/** Params of a request or notification: MCP allows objects only. */
export type Params = { readonly [key: string]: unknown };

export interface JsonRpcRequest {
	readonly jsonrpc: '2.0';
	readonly id: RequestId;
	readonly method: string;
	readonly params?: Params;
}

export interface JsonRpcNotification {
	readonly jsonrpc: '2.0';
	readonly method: string;
	readonly params?: Params;
}

export interface JsonRpcResult {
	readonly jsonrpc: '2.0';
	readonly id: RequestId;
	readonly result: Params;
}

export interface JsonRpcFailure {
	readonly jsonrpc: '2.0';
	readonly id: RequestId;
	readonly error: { readonly code: number; readonly message: string; readonly data?: unknown };
}

/** What answers a request: its result, or why there is none. */
export type JsonRpcResponse = JsonRpcResult | JsonRpcFailure;

export type JsonRpcMessage = JsonRpcRequest | JsonRpcNotification | JsonRpcResponse;

/** Error codes on the wire: JSON-RPC 2.0's, and those that the official SDKs use with Streamable HTTP. */
export const ErrorCode = Object.freeze({
	PARSE_ERROR: -32700,
	INVALID_REQUEST: -32600,
	INVALID_PARAMS: -32602,
	METHOD_NOT_FOUND: -32601,
	INTERNAL_ERROR: -32603,
	/** The transport refuses, or the connection to the server ended. */
	REFUSED: -32000,
	/** The session is unknown or over. */
	SESSION_NOT_FOUND: -32001,
});

export function isRequest(message: JsonRpcMessage): message is JsonRpcRequest {
	return 'method' in message && 'id' in message;
}

/** Whether `message` has a method: a request or a notification. */
export function hasMethod(message: JsonRpcMessage): message is JsonRpcRequest | JsonRpcNotification {
	return 'method' in message;
}

/**
 * Reads one JSON-RPC message as a client sent it; `undefined` when it is none. It is checked by hand, at a hundredth of a
 * schema's cost, and is exactly as strict as the SDKs' schemas: those drop what they refuse without any answer, so nothing may
 * get past here that they would not take. Members that are not JSON-RPC's are left out.
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
 * Writes a response as JSON. What no JSON writer takes (a bigint, a cycle, what is nested too deep) is reported and answered with
 * an error: nobody waits for ever.
 */
export function writeResponse(response: JsonRpcResponse, report: (error: unknown) => void): string {
	try {
		return JSON.stringify(response);
	} catch (error) {
		report(error);
		const message = 'The result cannot be written as JSON.';
		return JSON.stringify({ jsonrpc: '2.0', id: response.id, error: { code: ErrorCode.INTERNAL_ERROR, message } });
	}
}

export function isRequestId(value: unknown): value is RequestId {
	return typeof value === 'string' || Number.isSafeInteger(value);
}

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
