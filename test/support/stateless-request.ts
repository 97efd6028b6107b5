import type { Loose, WireResponse } from './clients/wire-response.ts';
import { postHeaders, type Rig } from './rig.ts';

export const STATELESS = '2026-07-28';

const key = (name: string) => `io.modelcontextprotocol/${name}`;

/** What a request of 2026-07-28 may say about its client. */
export interface Envelope {
	readonly version?: unknown;
	readonly capabilities?: Loose;
	readonly clientInfo?: Loose;
	readonly logLevel?: string;
	readonly progressToken?: string | number;
}

/** The `_meta` of a request of 2026-07-28. */
export function envelope({
	version = STATELESS,
	capabilities = {},
	clientInfo,
	logLevel,
	progressToken,
}: Envelope = {}): Loose {
	return {
		[key('protocolVersion')]: version,
		[key('clientCapabilities')]: capabilities,
		[key('clientInfo')]: clientInfo ?? { name: 'stateless-client', version: '0.1.0' },
		...(logLevel !== undefined && { [key('logLevel')]: logLevel }),
		...(progressToken !== undefined && { progressToken }),
	};
}

/** A request of 2026-07-28, as a good client writes it. */
export function statelessMessage(method: string, params: Loose = {}, meta: Envelope = {}, id: unknown = 1): Loose {
	return { jsonrpc: '2.0', id, method, params: { ...params, _meta: envelope(meta) } };
}

/** The headers that go with a message. */
export function statelessHeaders({ method, params }: Loose): Record<string, string> {
	const name = params?.name ?? params?.uri ?? params?.taskId;
	return {
		...postHeaders,
		'mcp-protocol-version': STATELESS,
		'mcp-method': method,
		...(typeof name === 'string' && { 'mcp-name': name }),
	};
}

/** Sends a request of 2026-07-28; `headers` are added, or replace those of a good client. */
export function ask(
	rig: Pick<Rig, 'post'>,
	message: Loose,
	headers: Readonly<Record<string, string | undefined>> = {},
): Promise<WireResponse> {
	return rig.post(message, { ...statelessHeaders(message), ...headers });
}

/** Calls a tool. */
export function callTool(
	rig: Pick<Rig, 'post'>,
	name: string,
	args: Loose = {},
	meta: Envelope = {},
	id: unknown = 1,
): Promise<WireResponse> {
	return ask(rig, statelessMessage('tools/call', { name, arguments: args }, meta, id));
}
