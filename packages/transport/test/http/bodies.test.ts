import { describe, expect, it } from 'vitest';
import { doors } from '../../../../test/support/doors.ts';
import { initializeMessage, postHeaders, Rig } from '../../../../test/support/rig.ts';

const notJson = [
	'',
	' ',
	'{',
	'nope',
	'{"jsonrpc":"2.0",}',
	"{'a':1}",
	'{"jsonrpc":"2.0"}{"jsonrpc":"2.0"}',
	'\u0000',
	'[1,',
];

const malformed: readonly unknown[] = [
	null,
	5,
	true,
	'tools/list',
	{},
	{ id: 1, method: 'ping' },
	{ jsonrpc: '1.0', id: 1, method: 'ping' },
	{ jsonrpc: 2, id: 1, method: 'ping' },
	{ jsonrpc: '2.0' },
	{ jsonrpc: '2.0', id: 1 },
	{ jsonrpc: '2.0', id: 1, method: 5 },
	{ jsonrpc: '2.0', id: 1, method: null },
	{ jsonrpc: '2.0', id: null, method: 'ping' },
	{ jsonrpc: '2.0', id: 1.5, method: 'ping' },
	{ jsonrpc: '2.0', id: 1e300, method: 'ping' },
	{ jsonrpc: '2.0', id: true, method: 'ping' },
	{ jsonrpc: '2.0', id: [1], method: 'ping' },
	{ jsonrpc: '2.0', id: {}, method: 'ping' },
	{ jsonrpc: '2.0', id: 1, method: 'ping', params: [] },
	{ jsonrpc: '2.0', id: 1, method: 'ping', params: null },
	{ jsonrpc: '2.0', id: 1, method: 'ping', params: 'x' },
	{ jsonrpc: '2.0', id: 1, method: 'ping', params: { _meta: 5 } },
	{ jsonrpc: '2.0', id: 1, method: 'ping', params: { _meta: { progressToken: {} } } },
	{ jsonrpc: '2.0', method: 'notifications/initialized', params: 1 },
	{ jsonrpc: '2.0', id: 1, result: 5 },
	{ jsonrpc: '2.0', id: 1, result: null },
	{ jsonrpc: '2.0', id: 1, result: [] },
	{ jsonrpc: '2.0', result: {} },
	{ jsonrpc: '2.0', id: null, result: {} },
	{ jsonrpc: '2.0', id: 1, result: {}, error: { code: 1, message: 'x' } },
	{ jsonrpc: '2.0', id: 1, error: {} },
	{ jsonrpc: '2.0', id: 1, error: { code: '1', message: 'x' } },
	{ jsonrpc: '2.0', id: 1, error: { code: 1.5, message: 'x' } },
	{ jsonrpc: '2.0', id: 1, error: { code: 1, message: 5 } },
	{ jsonrpc: '2.0', id: 1, error: 'x' },
	{ jsonrpc: '2.0', error: { code: 1, message: 'x' } },
];

describe.each(doors)('bodies, through $name', (door) => {
	it.each(notJson)('refuses what is not JSON with 400 and a parse error: %j', async (body) => {
		const rig = await Rig.open(door);
		const client = await rig.session();
		for (const headers of [{}, client.headers]) {
			const answer = await rig.post(body, headers);
			expect(answer.status).toBe(400);
			expect(await answer.json()).toMatchObject({ jsonrpc: '2.0', id: null, error: { code: -32700 } });
		}
	});

	it.each(['\xff', 'a\xc3', '\xed\xa0\x80', '\xc0\xaf'])(
		'refuses what is not UTF-8 with 400 and a parse error: %j',
		async (bytes) => {
			const rig = await Rig.open(door);
			const client = await rig.session();
			const before = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":"`;
			for (const body of [`${before}${bytes}"}}}`, [before, `${bytes}"}}}`]]) {
				const answer = await rig.send({ headers: { ...postHeaders, ...client.headers }, body, encoding: 'latin1' });
				expect(answer.status).toBe(400);
				expect(await answer.json()).toMatchObject({ jsonrpc: '2.0', id: null, error: { code: -32700 } });
			}
			expect(await client.ask('echo', { text: 'U+FFFD itself: \ufffd' })).toBe('U+FFFD itself: \ufffd');
		},
	);

	it.each(malformed.map((body) => JSON.stringify(body)))('refuses a malformed message with 400: %s', async (body) => {
		const rig = await Rig.open(door);
		const client = await rig.session();
		for (const headers of [{}, client.headers]) {
			const answer = await rig.post(body, headers);
			expect(answer.status).toBe(400);
			expect(await answer.json()).toMatchObject({ jsonrpc: '2.0', id: idOf(body), error: { code: -32600 } });
		}
		expect(await client.ask('echo', { text: 'still here' })).toBe('still here');
	});

	it('answers a request of an unknown method with the JSON-RPC error of the server', async () => {
		const rig = await Rig.open(door);
		const client = await rig.session();
		const answer = await client.request('no/such/method');
		expect(answer.status).toBe(200);
		expect(await answer.json()).toMatchObject({ id: client.lastRequestId, error: { code: -32601 } });
	});

	it.each([0, -1, 7, 'a', '', '7', 'ü', Number.MAX_SAFE_INTEGER, 'x'.repeat(1_000)])(
		'gives back the id of a request as it was: %j',
		async (id) => {
			const rig = await Rig.open(door);
			const client = await rig.session();
			const answer = await client.post({ jsonrpc: '2.0', id, method: 'ping' });
			expect(await answer.json()).toEqual({ jsonrpc: '2.0', id, result: {} });
		},
	);

	it('puts characters together that are cut by the edge of a chunk', async () => {
		const rig = await Rig.open(door);
		const client = await rig.session();
		const text = '€𝄞ü';
		const bytes = Buffer.from(JSON.stringify(callEcho(text)));
		for (let at = 1; at < bytes.length; at += 3) {
			const body = [bytes.subarray(0, at), bytes.subarray(at)].map((part) => part.toString('latin1'));
			const answer = await rig.send({ headers: { ...postHeaders, ...client.headers }, body, encoding: 'latin1' });
			expect((await answer.json()).result.content[0].text).toBe(text);
		}
	});

	describe('that are long', () => {
		const limit = 1_000;
		const padded = (bytes: number) => {
			const text = JSON.stringify(initializeMessage());
			return text + ' '.repeat(bytes - Buffer.byteLength(text));
		};
		const inChunks = (text: string) => text.match(/.{1,100}/gs) ?? [];

		it('are taken up to exactly the limit, with a length or in chunks', async () => {
			const rig = await Rig.open(door, { maxBodyBytes: limit });
			for (const body of [padded(limit), inChunks(padded(limit))]) {
				expect((await rig.send({ headers: postHeaders, body })).status).toBe(200);
			}
		});

		it('are refused with 413 one byte over the limit, with a length or in chunks', async () => {
			const rig = await Rig.open(door, { maxBodyBytes: limit });
			for (const body of [padded(limit + 1), inChunks(padded(limit + 1))]) {
				const answer = await rig.send({ headers: postHeaders, body });
				expect(answer.status).toBe(413);
				expect(await answer.json()).toMatchObject({ jsonrpc: '2.0', id: null, error: { code: -32000 } });
			}
			expect(rig.transport.stats().sessions).toBe(0);
			expect((await rig.initialize()).status).toBe(200);
		});

		it('are counted in bytes, not in characters', async () => {
			const rig = await Rig.open(door, { maxBodyBytes: limit });
			const body = JSON.stringify(callEcho('€'.repeat(limit / 2)));
			expect(body.length).toBeLessThan(limit);
			expect((await rig.send({ headers: postHeaders, body })).status).toBe(413);
			expect((await rig.send({ headers: postHeaders, body: [body] })).status).toBe(413);
		});

		it('are taken up to 4 MiB where no option says otherwise', async () => {
			const rig = await Rig.open(door);
			const fourMiB = 4 * 1024 * 1024;
			expect((await rig.send({ headers: postHeaders, body: padded(fourMiB) })).status).toBe(200);
			expect((await rig.send({ headers: postHeaders, body: padded(fourMiB + 1) })).status).toBe(413);
			expect((await rig.send({ headers: postHeaders, body: [padded(fourMiB), ' '] })).status).toBe(413);
		});
	});
});

/** The id that a refusal names: that of a request, well-formed or not, where it is one. */
function idOf(body: string): unknown {
	const { id, result, error } = JSON.parse(body) ?? {};
	if (result !== undefined || error !== undefined) return null;
	return typeof id === 'string' || Number.isSafeInteger(id) ? id : null;
}

function callEcho(text: string): unknown {
	return { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'echo', arguments: { text } } };
}
