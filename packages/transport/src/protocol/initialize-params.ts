import { Buffer } from 'node:buffer';
import type { JsonObject } from '@holdfast/session-manager';
import * as v from 'valibot';
import { isObject, type JsonRpcRequest } from './json-rpc.js';

const schema = v.looseObject({
	protocolVersion: v.pipe(v.string(), v.maxLength(64)),
	// To valibot's own objects, a list is one.
	capabilities: v.custom(isObject, 'Invalid type: Expected Object'),
	clientInfo: v.looseObject({ name: v.string(), version: v.string() }),
});

/** What a client says of itself is kept with its session: in bytes of JSON. */
const MAX_BYTES = 256 * 1024;

/** What a client must say in `initialize` (schema 2025-11-25, InitializeRequestParams), and whatever else it says. */
export type InitializeParams = JsonObject & { readonly protocolVersion: string };

/** What is taken for the `initialize` of a client that sent none: it said nothing of itself. */
export function assumedInitializeParams(protocolVersion: string): InitializeParams {
	return { protocolVersion, capabilities: {}, clientInfo: { name: 'unknown', version: '0' } };
}

/** Reads the params of `initialize`; a text that says what is wrong where they are not valid. */
export function readInitializeParams(request: JsonRpcRequest): InitializeParams | string {
	const read = v.safeParse(schema, request.params);
	if (read.success) {
		const bytes = Buffer.byteLength(JSON.stringify(request.params));
		if (bytes <= MAX_BYTES) return request.params as InitializeParams;
		return `Invalid initialize params: they have ${bytes} bytes of at most ${MAX_BYTES}.`;
	}
	const issue = read.issues[0];
	return `Invalid initialize params: ${v.getDotPath(issue) ?? 'params'}: ${issue.message}`;
}
