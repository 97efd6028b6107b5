import type { IncomingMessage, ServerResponse } from 'node:http';
import { connect, createServer, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect, it } from 'vitest';
import { WireResponse } from '../../../../test/support/clients/wire-response.ts';
import type { Door, WireRequest } from '../../../../test/support/doors.ts';
import { LATEST, Rig } from '../../../../test/support/rig.ts';
import { sdks, type Tool } from '../../../../test/support/servers.ts';

/** `handle` on a real server of HTTP/2. */
const http2Door: Door = {
	name: 'handle',
	async open({ handle }) {
		const server = createServer((request: Http2ServerRequest, response: Http2ServerResponse) =>
			handle(request as unknown as IncomingMessage, response as unknown as ServerResponse),
		);
		await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
		const origin = `http://localhost:${(server.address() as AddressInfo).port}`;
		const session = connect(origin.replace('localhost', '127.0.0.1'));
		return {
			name: 'handle',
			origin,
			async send({ method = 'POST', path = '/mcp', headers, body }: WireRequest) {
				const stream = session.request({
					':method': method,
					':path': path,
					':authority': new URL(origin).host,
					...headers,
				});
				if (body !== undefined) stream.end(typeof body === 'string' ? body : body.join(''));
				const head = await new Promise<Record<string, unknown>>((resolve) => stream.once('response', resolve));
				const fields = Object.entries(head).filter(([name]) => !name.startsWith(':')) as [string, string][];
				const response = new WireResponse(Number(head[':status']), new Headers(fields), () => stream.close());
				if (response.isStream) stream.setEncoding('utf8').on('data', (part: string) => response.push(part));
				else response.push(await text(stream));
				if (response.isStream) stream.on('end', () => response.end(false));
				else response.end(false);
				return response;
			},
			async close() {
				session.destroy();
				await new Promise((resolve) => server.close(resolve));
			},
		};
	},
};

const seen: Tool = ({ header, url }) => JSON.stringify({ own: header('x-own'), host: header('host'), url });

it.each(sdks)('sessions work over HTTP/2, where tools see the headers and the URL of HTTP/1.1 ($name)', async (sdk) => {
	const rig = await Rig.open(http2Door, { sdk, tools: { seen } });
	const client = await rig.session();
	const { host } = new URL(rig.door.origin);
	const answer = await client.post(
		{ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'seen', arguments: {} } },
		{ 'x-own': 'mine' },
	);
	expect(answer.headers.get('content-type')).toBe('application/json');
	const told = JSON.parse((await answer.json()).result.content[0].text);
	expect(told).toEqual({ own: 'mine', host, url: `${rig.door.origin}/mcp` });
	const stream = await client.get();
	expect((await stream.block(0)).data).toBe('');
	await client.delete();
	await stream.ended();
	const headers = { 'mcp-protocol-version': LATEST, 'mcp-session-id': client.id };
	expect((await rig.post({ jsonrpc: '2.0', id: 2, method: 'ping' }, headers)).status).toBe(404);
});
