import { describe, expect, it } from 'vitest';
import { doors } from '../../../../test/support/doors.ts';
import { initializeMessage, postHeaders, Rig } from '../../../../test/support/rig.ts';

const ping = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' });
const note = JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' });
const reply = JSON.stringify({ jsonrpc: '2.0', id: 1, result: {} });

/** Every kind of request that needs a session. */
const requests = [
	['a request', { body: ping }],
	['a notification', { body: note }],
	['an answer', { body: reply }],
	['a GET', { method: 'GET' }],
	['a DELETE', { method: 'DELETE' }],
] as const;

describe.each(doors)('Mcp-Session-Id, through $name', (door) => {
	it('is visible ASCII, holds at least 128 bits, and is never given twice', async () => {
		const rig = await Rig.open(door);
		const ids = new Set<string>();
		for (let n = 0; n < 100; n++) {
			const id = (await rig.initialize()).headers.get('mcp-session-id') ?? '';
			expect(id).toMatch(/^[\x21-\x7e]+$/);
			expect(Buffer.from(id, 'base64url').byteLength).toBeGreaterThanOrEqual(16);
			ids.add(id);
		}
		expect(ids.size).toBe(100);
		// No bit is always the same: nothing of the ids is counted or constant.
		const bytes = [...ids].map((id) => Buffer.from(id, 'base64url'));
		for (let at = 0; at < 16; at++) expect(new Set(bytes.map((id) => id[at])).size).toBeGreaterThan(10);
	});

	it('is chosen by the server alone', async () => {
		const rig = await Rig.open(door);
		const id = (await rig.initialize()).headers.get('mcp-session-id');
		const wished = await rig.post(initializeMessage(), { 'mcp-session-id': 'wished-for' });
		expect(wished.status).toBe(404);
		expect((await rig.initialize()).headers.get('mcp-session-id')).not.toBe(id);
	});

	it('is given back on the responses of its session', async () => {
		const rig = await Rig.open(door);
		const client = await rig.session();
		const answers = [await client.post(ping), await client.post(note), await client.get()];
		expect(answers.map(({ headers }) => headers.get('mcp-session-id'))).toEqual([client.id, client.id, client.id]);
	});

	it.each(requests)('missing on %s is refused with 400', async (_, request) => {
		const rig = await Rig.open(door);
		await rig.session();
		const answer = await rig.send({ ...request, headers: postHeaders });
		expect(answer.status).toBe(400);
		expect(await answer.json()).toMatchObject({ jsonrpc: '2.0', id: idIn(request), error: { code: -32000 } });
	});

	it.each(requests)('that is unknown on %s is refused with 404, never with 401', async (_, request) => {
		const rig = await Rig.open(door);
		const { id } = await rig.session();
		for (const wrong of [
			'x',
			`${id}x`,
			id.slice(1),
			id.toUpperCase(),
			`${id}, ${id}`,
			'a b',
			'',
			'0',
			'x'.repeat(300),
			'../../etc',
		]) {
			const answer = await rig.send({ ...request, headers: { ...postHeaders, 'mcp-session-id': wrong } });
			expect([wrong, answer.status]).toEqual([wrong, 404]);
			expect(await answer.json()).toMatchObject({ jsonrpc: '2.0', id: idIn(request), error: { code: -32001 } });
		}
	});

	it.each(requests)('of a session that has ended on %s is refused with 404', async (_, request) => {
		const rig = await Rig.open(door);
		const client = await rig.session();
		await client.delete();
		const answer = await rig.send({ ...request, headers: { ...postHeaders, ...client.headers } });
		expect(answer.status).toBe(404);
		expect(await answer.json()).toMatchObject({ error: { code: -32001 } });
	});

	it.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty'])(
		'that is a word of the language names no session: %s',
		async (id) => {
			const rig = await Rig.open(door);
			expect((await rig.post(ping, { 'mcp-session-id': id })).status).toBe(404);
		},
	);

	it('keeps sessions apart: each has a server of its own', async () => {
		const rig = await Rig.open(door, { tools: { who: ({ session }) => session.id } });
		const clients = [await rig.session(), await rig.session(), await rig.session()];
		const answers = await Promise.all(clients.map((client) => client.ask('who')));
		expect(answers).toEqual(clients.map(({ id }) => id));
	});
});

/** The id that a refusal names: that of the request in the body, where there is one. */
function idIn(request: { readonly method?: string; readonly body?: string }): unknown {
	return request.body === ping ? 1 : null;
}
