import fc from 'fast-check';
import type { RawCase } from './raw-cases.ts';
import { bytes, call, notification, ping, post } from './raw-wire.ts';

const nested = (depth: number, [open, close]: readonly [string, string]) =>
	`${open.repeat(depth)}0${close.repeat(depth)}`;

/** Whole requests whose body is odd JSON, or none. */
export const oddBody: fc.Arbitrary<RawCase> = fc
	.oneof(
		fc
			.record({
				depth: fc.oneof(fc.nat(200), fc.nat(60_000)),
				shape: fc.constantFrom<readonly [string, string]>(['[', ']'], ['{"a":', '}'], ['{"__proto__":', '}']),
				place: fc.constantFrom(
					(deep: string) => deep,
					(deep: string) => call(`{"deep":${deep}}`),
					(deep: string) => `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"deep":${deep}}}`,
					(deep: string) => `{"jsonrpc":"2.0","id":${deep},"method":"ping"}`,
					(deep: string) => `{"jsonrpc":"2.0","id":"x:1","result":{"deep":${deep}}}`,
					(deep: string) =>
						`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1,"deep":${deep}}}`,
					(deep: string) => `{"jsonrpc":"2.0","id":1,"method":"initialize","params":${deep}}`,
				),
			})
			.map(({ depth, shape, place }) => ({ body: place(nested(depth, shape)), statuses: [200, 202, 400, 413] })),
		fc
			.tuple(fc.constantFrom(ping, notification, call('{"a":[1,2,{"b":"c"}]}')), fc.nat())
			.map(([whole, place]) => ({ body: whole.slice(0, place % whole.length), statuses: [400] })),
		fc.tuple(fc.nat(), bytes(8)).map(([place, inserted]) => {
			const whole = call('{"text":"some text in here"}');
			const at = place % whole.length;
			return { body: whole.slice(0, at) + inserted + whole.slice(at), statuses: [200, 202, 400, 404] };
		}),
		bytes(300).map((body) => ({ body, statuses: [400] })),
		fc.json().map((body) => ({ body: Buffer.from(body).toString('latin1'), statuses: [400] })),
		fc
			.constantFrom(
				'{"jsonrpc":"2.0","id":1,"method":"ping","__proto__":{"id":2}}',
				'{"__proto__":{"jsonrpc":"2.0","id":1,"method":"ping"}}',
				'{"jsonrpc":"2.0","id":1,"id":2,"method":"nope","method":"ping"}',
				'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"__proto__":{"_meta":1},"constructor":{"prototype":{"x":1}}}}',
				'{"jsonrpc":"2.0","id":1e999,"method":"ping"}',
				'{"jsonrpc":"2.0","id":-0,"method":"ping"}',
				'{"jsonrpc":"2.0","id":9007199254740993,"method":"ping"}',
				'{"jsonrpc":"2.0","id":"\\ud800","method":"ping"}',
				'{"jsonrpc":"2.0","id":"\\u0000","method":"\\u0000"}',
				`${ping}${ping}`,
				`${ping}\0`,
				`\xef\xbb\xbf${ping}`,
			)
			.map((body) => ({ body, statuses: [200, 400] })),
	)
	.map(({ body, statuses }) => ({
		kind: 'an odd body',
		wire: post(body),
		ending: { answers: 1 },
		statuses: [statuses],
	}));
