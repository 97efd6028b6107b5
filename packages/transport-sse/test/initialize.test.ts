import { describe, expect, it } from 'vitest';
import { doors } from '../../../test/support/doors.ts';
import { initializeMessage } from '../../../test/support/rig.ts';
import { sdks } from '../../../test/support/servers.ts';
import { SseRig } from './support/sse-rig.ts';

const call = { jsonrpc: '2.0', id: 7, method: 'tools/call', params: { name: 'echo', arguments: { text: 'x' } } };

describe.each(doors)('initialize, through $name', (door) => {
	it.each(sdks)('negotiates the revision of the client with a $name', async (sdk) => {
		const rig = await SseRig.open(door, { sdk });
		for (const protocolVersion of ['2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25']) {
			const client = await rig.open();
			expect((await client.initialize({ protocolVersion })).result.protocolVersion).toBe(protocolVersion);
			expect(rig.made.at(-1)?.protocolVersion).toBe(protocolVersion);
		}
	});

	it('shows the factory who the client is', async () => {
		const rig = await SseRig.open(door);
		const clientInfo = { name: 'somebody', version: '3' };
		const client = await rig.open();
		await client.initialize({ clientInfo, capabilities: { roots: {} } });
		expect(rig.made).toMatchObject([{ id: client.id, clientInfo, clientCapabilities: { roots: {} } }]);
	});

	it('may come after pings, a look for newer revisions, and what belongs to a session before', async () => {
		const rig = await SseRig.open(door);
		const client = await rig.open();
		for (const message of [
			{ jsonrpc: '2.0', id: 'probe', method: 'server/discover' },
			{ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 7 } },
			{ jsonrpc: '2.0', id: 1, result: {} },
			{ jsonrpc: '2.0', id: 'early', method: 'ping' },
		])
			expect((await client.post(message)).status).toBe(202);
		expect(await client.answerTo('early')).toMatchObject({ result: {} });
		expect(await client.answerTo('probe')).toMatchObject({ error: { code: -32601 } });
		expect(rig.made).toEqual([]);
		await client.initialize();
		expect((await client.post(call)).status).toBe(202);
		expect((await client.answerTo(7)).result.content[0].text).toBe('x');
	});

	it('is answered once: a second one is 400 and changes nothing', async () => {
		const rig = await SseRig.open(door);
		const client = await rig.session({ clientInfo: { name: 'first', version: '1' } });
		const again = initializeMessage({ clientInfo: { name: 'second', version: '1' } });
		expect((await client.post(again)).status).toBe(400);
		expect(await client.ask('echo', { text: 'x' })).toBe('x');
		expect(rig.made).toMatchObject([{ clientInfo: { name: 'first' } }]);
	});

	it('is answered once, however many come at the same time', async () => {
		const rig = await SseRig.open(door);
		const client = await rig.open();
		const answers = await Promise.all(Array.from({ length: 10 }, () => client.post(initializeMessage())));
		expect(answers.map(({ status }) => status).sort()).toEqual([202, ...Array.from({ length: 9 }, () => 400)]);
		await client.answerTo('init');
		expect(client.messages).toHaveLength(1);
		expect(rig.transport.stats()).toMatchObject({ sessions: 1, liveServers: 1 });
	});

	it('that is not valid is answered with an error, and may be tried again', async () => {
		const client = await (await SseRig.open(door)).open();
		for (const params of [undefined, {}, { protocolVersion: '2024-11-05', capabilities: [], clientInfo: {} }]) {
			expect(
				(await client.post({ jsonrpc: '2.0', id: `bad ${JSON.stringify(params)}`, method: 'initialize', params }))
					.status,
			).toBe(202);
			expect(await client.answerTo(`bad ${JSON.stringify(params)}`)).toMatchObject({ error: { code: -32602 } });
		}
		expect((await client.initialize()).result).toBeDefined();
	});

	it('that the factory of servers fails may be tried again', async () => {
		let isBroken = true;
		const rig = await SseRig.open(door, {
			createServer: (session) => {
				if (isBroken) throw new Error('not now');
				return sdks[0]?.make({ tools: {} }, session) ?? Promise.reject(new Error('There is no SDK.'));
			},
		});
		const client = await rig.open();
		expect((await client.post(initializeMessage())).status).toBe(500);
		isBroken = false;
		expect((await client.initialize()).result).toBeDefined();
		expect(rig.errors).toMatchObject([{ message: expect.stringContaining('not now') }]);
	});

	it('keeps what is told to everybody before it from the client', async () => {
		const rig = await SseRig.open(door);
		const [early, late] = [await rig.session(), await rig.open()];
		await rig.transport.notify.toolsChanged();
		await early.find(({ method }) => method === 'notifications/tools/list_changed');
		await late.initialize();
		await rig.transport.notify.promptsChanged();
		await late.find(({ method }) => method === 'notifications/prompts/list_changed');
		expect(late.messages.map(({ id, method }) => method ?? id)).toEqual(['init', 'notifications/prompts/list_changed']);
	});
});
