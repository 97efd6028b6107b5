import { randomUUID } from 'node:crypto';
import type { RequestListener } from 'node:http';
import { echoResult, echoText } from '../mcp-messages.js';

/** The limit of the machine: reads the body and sends fixed JSON, as long as the response to `tools/call`. */
export function rawHttp(): RequestListener {
	const body = Buffer.from(JSON.stringify({ result: echoResult(echoText), jsonrpc: '2.0', id: 1_000_000 }));
	const headers = {
		'content-type': 'application/json',
		'content-length': body.length,
		'mcp-session-id': randomUUID(),
	};
	return (request, response) => {
		request.on('end', () => response.writeHead(200, headers).end(body)).resume();
	};
}
