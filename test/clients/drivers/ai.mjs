// `ai`, which had the client before @ai-sdk/mcp, and took the transport of the official SDK for Streamable HTTP.
import { connectOver } from './ai-sdk.mjs';

export const ways = [{ transport: 'http' }, { transport: 'sse', reconnects: false }];

export async function connect({ load, url, transport }) {
	if (transport === 'sse') return connectOver(load, { type: 'sse', url });
	const { StreamableHTTPClientTransport } = await import('sdk-v1-1.32/client/streamableHttp.js');
	return connectOver(load, new StreamableHTTPClientTransport(new URL(url)));
}
