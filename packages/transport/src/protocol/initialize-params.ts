import { Buffer } from 'node:buffer';
import type { JsonObject } from '@holdfast/session-manager';
import * as v from 'valibot';
import { isObject, type JsonRpcRequest } from './json-rpc.js';

const schema = v.looseObject({
	protocolVersion: v.pipe(v.string(), v.maxLength(64)),
	// valibot's `object` accepts arrays.
	capabilities: v.custom(isObject, 'Invalid type: Expected Object'),
	clientInfo: v.looseObject({ name: v.string(), version: v.string() }),
});

/** The longest params of `initialize`, in bytes of JSON: they are stored with the session. */
const MAX_BYTES = 256 * 1024;

/** The params of `initialize` (2025-11-25 schema, InitializeRequestParams), with whatever else the client sent. */
export type InitializeParams = JsonObject & { readonly protocolVersion: string };

/** Returns the params that stand in for those of a client that never sent `initialize`. */
export function assumedInitializeParams(protocolVersion: string): InitializeParams {
	return { protocolVersion, capabilities: {}, clientInfo: { name: 'unknown', version: '0' } };
}

/** Validates the params of `initialize`. Returns a message that says what is wrong where they are invalid. */
export function readInitializeParams(request: JsonRpcRequest): InitializeParams | string {
	const parsed = v.safeParse(schema, request.params);
	if (parsed.success) {
		const bytes = Buffer.byteLength(JSON.stringify(request.params));
		if (bytes <= MAX_BYTES) return request.params as InitializeParams;
		return `Invalid initialize params: ${bytes} bytes are more than the limit of ${MAX_BYTES}.`;
	}
	const issue = parsed.issues[0];
	return `Invalid initialize params: ${v.getDotPath(issue) ?? 'params'}: ${issue.message}`;
}
