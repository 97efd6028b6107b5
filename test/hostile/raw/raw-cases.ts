import fc from 'fast-check';
import { oddBody } from './raw-bodies.ts';
import type { Ending } from './raw-client.ts';
import { bytes, call, type Header, host, mcp, notification, ping, post, request, soundRequest } from './raw-wire.ts';

/** Bytes for a server, one per character, and what may come of them. */
export interface RawCase {
	readonly kind: string;
	/** `$SESSION` stands for the id of a session that is alive. */
	readonly wire: string;
	readonly ending: Ending;
	/** The statuses that each of its responses may have, in order; one list is for all. */
	readonly statuses: readonly (readonly number[])[];
	/** Whether there may be no response at all: what was sent is no whole request. */
	readonly maybeSilent?: boolean;
}

/** What Holdfast or Node may say to bytes that are about anything. */
const ANY = [200, 202, 204, 400, 403, 404, 405, 406, 408, 413, 415, 417, 431];

/** Characters that may stand in a header's value. */
const fieldValue = (maxLength: number) =>
	fc.uint8Array({ maxLength }).map((array) => {
		const allowed = array.filter((byte) => byte === 9 || (byte >= 32 && byte !== 127));
		return String.fromCharCode(...allowed);
	});
const leaving = fc.constantFrom<Ending>('half-close', 'close', 'reset');

const garbage = bytes(400).map((wire) => ({
	kind: 'bytes that are no HTTP',
	wire,
	ending: 'half-close' as const,
	statuses: [ANY],
	maybeSilent: true,
}));

/** A sound request in which bytes were changed, cut out, doubled or put in. */
const damaged = fc
	.tuple(soundRequest, fc.array(fc.tuple(fc.nat(), fc.nat(30), bytes(12)), { minLength: 1, maxLength: 4 }))
	.map(([whole, damages]) => {
		let wire = whole;
		for (const [place, length, inserted] of damages) {
			const at = place % (wire.length + 1);
			wire = wire.slice(0, at) + inserted + wire.slice(at + length);
		}
		return { kind: 'a damaged request', wire, ending: 'half-close' as const, statuses: [ANY], maybeSilent: true };
	});

/** A client that goes before its request is whole, or right after. */
const cutOff = fc.tuple(soundRequest, fc.nat(), leaving).map(([whole, place, ending]) => ({
	kind: 'a request that is cut off',
	wire: whole.slice(0, place % (whole.length + 1)),
	ending,
	statuses: [ANY],
	maybeSilent: true,
}));

const checkedHeaders = [
	'Host',
	'Origin',
	'Accept',
	'Content-Type',
	'Mcp-Session-Id',
	'MCP-Protocol-Version',
	'Last-Event-ID',
];
const otherHeaders = [
	'Connection',
	'Expect',
	'Upgrade',
	'TE',
	'Trailer',
	'Cookie',
	'Authorization',
	'X-Forwarded-Host',
];

/** Sound HTTP with values that nobody expects, replaced or doubled. */
const oddHeaders = fc
	.array(
		fc.record({
			name: fc.constantFrom(...checkedHeaders, ...otherHeaders),
			value: fc.oneof(
				fieldValue(60),
				fc.constantFrom(
					'',
					',',
					'*',
					'*/*;q=0',
					';',
					'"',
					'0',
					'-1',
					'null',
					'../../etc/passwd',
					'close',
					'a, b',
					'%00',
				),
				fc.constantFrom('http://localhost.evil.com', 'localhost:99999', '[::1', 'null', 'http://localhost:1@evil.com'),
			),
			doubled: fc.boolean(),
		}),
		{ minLength: 1, maxLength: 4 },
	)
	.chain((odd) =>
		soundRequest.map((whole) => {
			const [head = '', body = ''] = whole.split('\r\n\r\n');
			const [line = '', ...lines] = head.split('\r\n');
			const replaced = new Set(odd.filter(({ doubled }) => !doubled).map(({ name }) => name.toLowerCase()));
			const kept = lines.filter((field) => !replaced.has(field.slice(0, field.indexOf(':')).toLowerCase()));
			const all = [line, ...kept, ...odd.map(({ name, value }) => `${name}: ${value}`)];
			return {
				kind: 'odd headers',
				wire: `${all.join('\r\n')}\r\n\r\n${body}`,
				ending: { answers: 1 },
				statuses: [ANY],
			};
		}),
	);

const hugeHead = fc
	.record({ count: fc.nat(2_500), length: fc.nat(20_000), inPath: fc.boolean() })
	.map(({ count, length, inPath }) => {
		const line = inPath ? `POST /mcp?${'x'.repeat(length)} HTTP/1.1` : 'POST /mcp HTTP/1.1';
		const many = Array.from({ length: count }, (_, n): Header => [`X-${n}`, '']);
		const long: readonly Header[] = inPath ? [] : [['Mcp-Session-Id', 'x'.repeat(length)]];
		const wire = request(
			line,
			[
				...mcp.filter(([name]) => inPath || name !== 'Mcp-Session-Id'),
				...many,
				...long,
				['Content-Length', String(ping.length)],
			],
			ping,
		);
		return {
			kind: 'a huge head',
			wire,
			ending: 'half-close' as const,
			statuses: [[200, 400, 404, 431]],
			maybeSilent: true,
		};
	});

/** A length that is none, or not that of the body. */
const wrongLength = fc
	.tuple(
		fc.oneof(
			fc.constantFrom(
				'-1',
				'abc',
				'1e3',
				'+5',
				'5, 5',
				'5,6',
				'',
				'0x10',
				'00000007',
				'9007199254740993',
				'9'.repeat(30),
			),
			fc.nat(200).map(String),
			fc.constantFrom('524288', '524289', '67108864'),
		),
		fc.constantFrom<readonly Header[]>([], [['Content-Length', '3']], [['Transfer-Encoding', 'chunked']]),
	)
	.map(([length, more]) => ({
		kind: 'a wrong length',
		wire: request('POST /mcp HTTP/1.1', [...mcp, ['Content-Length', length], ...more], call('{"text":"a body"}')),
		ending: 'half-close' as const,
		statuses: [ANY],
		maybeSilent: true,
	}));

const chunked = fc
	.array(
		fc.record({
			size: fc.oneof(fc.nat(40), fc.constantFrom(-1, 0)),
			stated: fc.constantFrom('right', 'right', 'right', 'too big', 'no number', 'with an extension'),
		}),
		{ maxLength: 8 },
	)
	.chain((parts) => fc.constantFrom('0\r\n\r\n', '0\r\nX-Trailer: 1\r\n\r\n', '', '0').map((end) => ({ parts, end })))
	.map(({ parts, end }) => {
		let rest = call('{"text":"in chunks"}');
		let body = '';
		for (const { size, stated } of parts) {
			const part = size === -1 ? rest : rest.slice(0, size);
			rest = rest.slice(part.length);
			const length = part.length.toString(16);
			const named = { right: length, 'too big': `f${length}`, 'no number': 'zz', 'with an extension': `${length};a=b` }[
				stated
			];
			body += `${named}\r\n${part}\r\n`;
		}
		const wire = request('POST /mcp HTTP/1.1', [...mcp, ['Transfer-Encoding', 'chunked']], body + end);
		return { kind: 'odd chunks', wire, ending: 'half-close' as const, statuses: [ANY], maybeSilent: true };
	});

const methods = [
	'GET',
	'POST',
	'DELETE',
	'OPTIONS',
	'PUT',
	'PATCH',
	'TRACE',
	'PROPFIND',
	'M-SEARCH',
	'get',
	'MCP',
	'GET\t',
	'',
];
const paths = [
	'/mcp',
	'/mcp?a=b',
	'/mcp?',
	'/mcp/',
	'/MCP',
	'//mcp',
	'/mcp/..',
	'/mcp%00',
	'/mcp#x',
	'*',
	'',
	'/',
	'http://evil.com/mcp',
	'/__proto__',
];

const oddLine = fc
	.tuple(
		fc.oneof(fc.constantFrom(...methods), fc.stringMatching(/^[A-Z]{1,12}$/)),
		fc.oneof(fc.constantFrom(...paths), bytes(30)),
		fc.constantFrom('HTTP/1.1', 'HTTP/1.1', 'HTTP/1.1', 'HTTP/1.0', 'HTTP/2.0', 'HTTP/0.9', 'HTTP/1.1 ', ''),
		leaving,
	)
	.map(([method, path, version, ending]) => ({
		kind: 'an odd first line',
		wire: request(`${method} ${path} ${version}`, [host, ['Mcp-Session-Id', 'unknown']]),
		ending,
		statuses: [ANY],
		maybeSilent: true,
	}));

const pipelined: readonly (readonly [wire: string, status: number])[] = [
	[post(ping), 200],
	[post(call('{"text":"one of many"}')), 200],
	[post(notification), 202],
	[post('{"jsonrpc":"2.0",'), 400],
	[request('DELETE /mcp HTTP/1.1', [host, ['Mcp-Session-Id', 'unknown']]), 404],
	[request('PUT /mcp HTTP/1.1', [host]), 405],
	[request('GET /elsewhere HTTP/1.1', [host]), 404],
	[request('OPTIONS /mcp HTTP/1.1', [host]), 204],
];

/** Many requests in one write: a response to each, in order. */
const pipeline = fc.array(fc.constantFrom(...pipelined), { minLength: 2, maxLength: 8 }).map((requests) => ({
	kind: 'a pipeline',
	wire: uniqueIds(requests.map(([wire]) => wire).join('')),
	ending: { answers: requests.length },
	statuses: requests.map(([, status]) => [status]),
}));

/** Requests that run at the same time must not have one id; each of these is one digit long. */
function uniqueIds(wire: string): string {
	let id = 0;
	return wire.replaceAll(/"id":\d/g, () => `"id":${++id}`);
}

/** Whatever bytes a client may send. */
export const rawCase: fc.Arbitrary<RawCase> = fc.oneof(
	garbage,
	damaged,
	cutOff,
	oddHeaders,
	hugeHead,
	wrongLength,
	chunked,
	oddBody,
	oddLine,
	pipeline,
);
