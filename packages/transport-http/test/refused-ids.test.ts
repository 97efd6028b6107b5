import { describe, expect, it } from 'vitest';
import { doors } from '../../../test/support/doors.ts';
import { gatedTool } from '../../../test/support/gated-tool.ts';
import { initializeMessage, Rig, type TestClient } from '../../../test/support/rig.ts';

const ping = { jsonrpc: '2.0', id: 'the-id', method: 'ping' };
const invalidVersion = { 'mcp-protocol-version': '1999-01-01' };

const refusals: [string, number, (rig: Rig, client: TestClient) => ReturnType<Rig['post']>][] = [
	['an unknown session', 404, (rig) => rig.post(ping, { 'mcp-session-id': 'unknown-session' })],
	['an id that cannot be one', 404, (rig) => rig.post(ping, { 'mcp-session-id': 'ü' })],
	['no session', 400, (rig) => rig.post(ping)],
	['an unknown version', 400, (_, client) => client.post(ping, invalidVersion)],
	['a second initialize', 400, (_, client) => client.post({ ...initializeMessage(), id: 'the-id' })],
	['an invalid method', 400, (_, client) => client.post({ ...ping, method: 5 })],
	['invalid params', 400, (_, client) => client.post({ ...ping, params: [] })],
	['a probe of a later revision', 400, (rig) => rig.post({ ...ping, method: 'server/discover' })],
];

describe.each(doors)('a refused request, through $name', (door) => {
	it.each(refusals)('is named by its id where that can be read: %s', async (_, status, send) => {
		const rig = await Rig.open(door);
		const answer = await send(rig, await rig.session());
		expect(answer.status).toBe(status);
		expect(await answer.json()).toMatchObject({ jsonrpc: '2.0', id: 'the-id', error: { code: expect.any(Number) } });
		expect(rig.transport.stats().bodyBytes).toBe(0);
	});

	it('is named by its id where too many run', async () => {
		const { tool, arrived, go } = gatedTool();
		const rig = await Rig.open(door, { maxRequestsInFlight: 1, tools: { hold: tool } });
		const client = await rig.session();
		const held = client.call('hold');
		await arrived.wait();
		const answer = await client.post(ping);
		expect([answer.status, (await answer.json()).id]).toEqual([429, 'the-id']);
		go.happen('done');
		await held;
	});

	it('has no id where that cannot be read: a batch, a response, no JSON, too long a body', async () => {
		const rig = await Rig.open(door, { maxBodyBytes: 1_000 });
		const headers = { 'mcp-session-id': 'unknown-session' };
		const response = { jsonrpc: '2.0', id: 'of-the-server', result: {} };
		for (const body of [[ping, ping], response, '{', { ...ping, params: { long: 'x'.repeat(1_000) } }]) {
			const answer = await rig.post(body, headers);
			expect([answer.status, (await answer.json()).id]).toEqual([404, null]);
		}
	});
});

const probe = {
	jsonrpc: '2.0',
	id: 'server-discover-probe-1',
	method: 'server/discover',
	params: { _meta: { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' } },
};

it.each(['required', 'implicit', 'off'] as const)(
	'a probe of a later revision gets 400, so that clients fall back (sessions: %s)',
	async (sessions) => {
		for (const door of doors) {
			const rig = await Rig.open(door, { sessions });
			for (const version of ['2026-07-28', undefined]) {
				const answer = await rig.post(probe, { 'mcp-protocol-version': version, 'mcp-method': 'server/discover' });
				expect(answer.status).toBe(400);
				expect(answer.headers.get('content-type')).toBe('application/json');
				const { id, error } = await answer.json();
				expect([id, error.code]).toEqual([probe.id, -32000]);
			}
			expect([rig.made, rig.transport.stats().sessions]).toEqual([[], 0]);
		}
	},
);
