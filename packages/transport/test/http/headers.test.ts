import { SUPPORTED_PROTOCOL_VERSIONS } from '@holdfast/transport';
import { describe, expect, it } from 'vitest';
import { doors } from '../../../../test/support/doors.ts';
import { initializeMessage, Rig } from '../../../../test/support/rig.ts';

describe.each(doors)('request headers, through $name', (door) => {
	describe('Accept of a POST', () => {
		it.each([
			'application/json, text/event-stream',
			'text/event-stream,application/json',
			'Application/JSON, Text/Event-Stream',
			'application/json;q=0.9, text/event-stream; q=0.5',
			'application/*, text/*',
			'*/*',
			'text/html, */*;q=0.1',
			'application/json; charset=utf-8, text/event-stream',
			'application/*;q=0, */*, application/json',
			'text/*;q=0, text/event-stream;q=0.1, */*',
		])('may be %s', async (accept) => {
			const rig = await Rig.open(door);
			expect((await rig.post(initializeMessage(), { accept })).status).toBe(200);
		});

		it.each([
			undefined,
			'',
			'application/json',
			'text/event-stream',
			'text/html',
			'application/*',
			'application/jsonp, text/event-stream',
			'application/json, text/event-streams',
			'application/json;q=0, text/event-stream',
			'x-application/json, text/event-stream',
			'text/event-stream;q=0, */*',
			'*/*, application/*; q=0.000',
			'*/*;q=0',
		])('is refused with 406 when it does not list both types: %s', async (accept) => {
			const rig = await Rig.open(door);
			const answer = await rig.post(initializeMessage(), { accept });
			expect(answer.status).toBe(406);
			expect(await answer.json()).toMatchObject({ jsonrpc: '2.0', id: null, error: { code: -32000 } });
			expect(rig.transport.stats().sessions).toBe(0);
		});
	});

	it('Accept may be JSON alone where every response is JSON', async () => {
		const rig = await Rig.open(door, { responseMode: 'json' });
		expect((await rig.post(initializeMessage(), { accept: 'application/json' })).status).toBe(200);
		const answer = await rig.post(initializeMessage(), { accept: 'text/event-stream' });
		expect([answer.status, (await answer.json()).error.message]).toEqual([406, expect.not.stringContaining('both')]);
	});

	describe('Content-Encoding of a POST', () => {
		it.each(['identity', 'Identity', ''])('may be %j', async (encoding) => {
			const rig = await Rig.open(door);
			expect((await rig.post(initializeMessage(), { 'content-encoding': encoding })).status).toBe(200);
		});

		it.each(['gzip', 'br', 'identity, gzip', 'x'])(
			'is refused with 415 when it must be decoded: %s',
			async (encoding) => {
				const rig = await Rig.open(door);
				const answer = await rig.post(initializeMessage(), { 'content-encoding': encoding });
				expect([answer.status, answer.headers.get('accept-encoding')]).toEqual([415, 'identity']);
				expect(rig.transport.stats()).toMatchObject({ sessions: 0, bodyBytes: 0 });
			},
		);
	});

	describe('Accept of a GET', () => {
		it.each(['text/event-stream', 'text/*', '*/*', 'application/json, text/event-stream'])(
			'may be %s',
			async (accept) => {
				const rig = await Rig.open(door);
				const { headers } = await rig.session();
				const answer = await rig.send({ method: 'GET', headers: { ...headers, accept } });
				expect(answer.status).toBe(200);
				expect(answer.headers.get('content-type')).toBe('text/event-stream');
			},
		);

		it.each([undefined, 'application/json', 'text/html', 'text/event-stream;q=0'])(
			'is refused with 406 without SSE: %s',
			async (accept) => {
				const rig = await Rig.open(door);
				const { headers } = await rig.session();
				expect((await rig.send({ method: 'GET', headers: { ...headers, accept } })).status).toBe(406);
			},
		);
	});

	describe('Content-Type of a POST', () => {
		it.each([
			'application/json',
			'application/json; charset=utf-8',
			'Application/JSON;charset=UTF-8',
			'application/json ;x=y',
		])('may be %s', async (type) => {
			const rig = await Rig.open(door);
			expect((await rig.post(initializeMessage(), { 'content-type': type })).status).toBe(200);
		});

		it.each([
			undefined,
			'text/plain',
			'application/x-www-form-urlencoded',
			'application/jsonp',
			'application/json-patch+json',
			'text/plain; a=application/json',
		])('is refused with 415 when it is not JSON: %s', async (type) => {
			const rig = await Rig.open(door);
			const answer = await rig.post(initializeMessage(), { 'content-type': type });
			expect(answer.status).toBe(415);
			expect(await answer.json()).toMatchObject({ jsonrpc: '2.0', id: null, error: { code: -32000 } });
		});
	});

	describe('MCP-Protocol-Version', () => {
		const versions = ['2025-11-25', '2025-06-18', '2025-03-26'];

		it.each(versions)('may be absent in a session of %s', async (protocolVersion) => {
			const rig = await Rig.open(door);
			const client = await rig.session({ protocolVersion });
			const answer = await client.post(ping, { 'mcp-protocol-version': undefined });
			expect(answer.status).toBe(200);
		});

		it.each(versions)('may be the negotiated one, %s', async (protocolVersion) => {
			const rig = await Rig.open(door);
			const client = await rig.session({ protocolVersion });
			expect(client.protocolVersion).toBe(protocolVersion);
			expect((await client.post(ping)).status).toBe(200);
		});

		it.each(['1999-01-01', '2026-07-28', 'x', '', '2025-11-25, 2025-11-25'])(
			'is refused with 400 when the server does not support it: %s',
			async (version) => {
				const rig = await Rig.open(door);
				const client = await rig.session();
				const headers = { ...client.headers, 'mcp-protocol-version': version };
				const answers = [
					await client.post(ping, headers),
					await rig.send({ method: 'GET', headers: { accept: 'text/event-stream', ...headers } }),
					await rig.send({ method: 'DELETE', headers }),
				];
				expect(answers.map(({ status }) => status)).toEqual([400, 400, 400]);
				const refused = await answers[0]?.json();
				expect(refused).toMatchObject({ jsonrpc: '2.0', id: 'ping', error: { code: -32000 } });
				for (const supported of SUPPORTED_PROTOCOL_VERSIONS) expect(refused.error.message).toContain(supported);
				expect((await client.post(ping)).status).toBe(200);
			},
		);

		it('is not looked at in initialize, where params name it', async () => {
			const rig = await Rig.open(door);
			const answer = await rig.post(initializeMessage(), { 'mcp-protocol-version': '1999-01-01' });
			expect(answer.status).toBe(200);
		});
	});
});

const ping = { jsonrpc: '2.0', id: 'ping', method: 'ping' };
