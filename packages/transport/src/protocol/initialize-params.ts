import { Buffer } from 'node:buffer';
import type { JsonObject } from '@holdfast/session-manager';
import * as v from 'valibot';
import { countJsonValues } from './json-bounds.js';
import { isObject, type JsonRpcRequest } from './json-rpc.js';

const schema = v.looseObject({
	protocolVersion: v.pipe(v.string(), v.maxLength(64)),
	// valibot's `object` accepts arrays.
	capabilities: v.custom(isObject, 'Invalid type: Expected Object'),
	clientInfo: v.looseObject({ name: v.string(), version: v.string() }),
});

/** The longest params of `initialize`, in bytes of JSON: they are stored with the session. Icons may be data URIs. */
const MAX_BYTES = 64 * 1024;
/** How many values they may have: nodes keep them parsed. */
const MAX_VALUES = 1_000;

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
		const json = JSON.stringify(request.params);
		const bytes = Buffer.byteLength(json);
		if (bytes > MAX_BYTES) return `Invalid initialize params: ${bytes} bytes are more than the limit of ${MAX_BYTES}.`;
		if (countJsonValues(json, MAX_VALUES) === undefined)
			return `Invalid initialize params: there are more than ${MAX_VALUES} values in them.`;
		return request.params as InitializeParams;
	}
	const issue = parsed.issues[0];
	return `Invalid initialize params: ${v.getDotPath(issue) ?? 'params'}: ${issue.message}`;
}
