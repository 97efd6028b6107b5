import { describe, expect, it } from 'vitest';
import { doors } from '../../../../test/support/doors.ts';
import { Rig } from '../../../../test/support/rig.ts';
import { sdks, type Tool } from '../../../../test/support/servers.ts';

const tell: Tool = ({ header, url, authInfo, session, requestId, progressToken }) =>
	JSON.stringify({
		header: header('x-own'),
		url,
		token: authInfo?.token,
		session: session.id,
		requestId,
		progressToken,
	});

const authInfo = { token: 'verified', clientId: 'c', scopes: ['mcp'] };

describe.each(doors)('what a tool knows of its request, through $name', (door) => {
	it.each(sdks)('is what the client sent, and who the server found it to be ($name)', async (sdk) => {
		const rig = await Rig.open(door, { sdk, authInfo, tools: { tell } });
		const client = await rig.session();
		const body = {
			jsonrpc: '2.0',
			id: 'r1',
			method: 'tools/call',
			params: { name: 'tell', arguments: {}, _meta: { progressToken: 'p1' } },
		};
		const answer = await client.post(body, { 'x-own': 'mine' });
		expect(JSON.parse((await answer.json()).result.content[0].text)).toEqual({
			header: 'mine',
			url: `${rig.door.origin}/mcp`,
			token: 'verified',
			session: client.id,
			requestId: 'r1',
			progressToken: 'p1',
		});
	});

	it.each(sdks)('is of this request alone, whoever asked before ($name)', async (sdk) => {
		const rig = await Rig.open(door, { sdk, tools: { tell } });
		const client = await rig.session();
		const seen: unknown[] = [];
		for (const own of ['a', undefined, 'b']) {
			const body = { jsonrpc: '2.0', id: seen.length, method: 'tools/call', params: { name: 'tell', arguments: {} } };
			const answer = await client.post(body, { 'x-own': own });
			seen.push(JSON.parse((await answer.json()).result.content[0].text).header ?? undefined);
			await rig.transport.release(client.id);
		}
		expect(seen).toEqual(['a', undefined, 'b']);
	});
});
