import {
	InMemoryInfoSessionManager,
	SessionManagerError,
	SessionState,
	type StateSchema,
	type StateValue,
} from '@holdfast/session-manager';
import { decodeStateValue, encodeStateValue } from '@holdfast/session-manager/internal';
import fc from 'fast-check';
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { sampleRecord } from './sample-record.ts';

// The same cases in every run; a new seed by hand finds new ones.
fc.configureGlobal({ seed: 20_261_120 });

function open() {
	const info = new InMemoryInfoSessionManager();
	info.create(sampleRecord('s'));
	return { info, state: new SessionState(info, 's') };
}

const failure = (code: string) => expect.objectContaining({ name: 'SessionManagerError', code });

/** JSON as JSON can carry it: it has no -0. */
const json = fc.jsonValue({ maxDepth: 4, noUnicodeString: false }).map((value) => JSON.parse(JSON.stringify(value)));

const anyValue: fc.Arbitrary<StateValue> = fc.oneof(
	fc.string({ unit: 'binary' }),
	fc.string({ unit: 'grapheme' }),
	// Lone surrogates too.
	fc.array(fc.nat(0xffff)).map((codes) => String.fromCharCode(...codes)),
	fc.double(),
	fc.integer(),
	fc.bigInt(),
	fc.boolean(),
	fc.uint8Array({ maxLength: 300 }),
	json,
);

const remarkable: readonly (readonly [name: string, value: StateValue])[] = [
	['an empty string', ''],
	['a string that looks like a number', '42'],
	['a string that looks like JSON', '{"a":1}'],
	['a string of one type letter', 'j'],
	['a lone surrogate', '\ud83d'],
	['NUL', 'a\0b'],
	['line ends and separators', '\r\n\u2028\u2029\u0085'],
	['emoji and combining marks', '👩‍👩‍👧‍👦 é é \u202e'],
	['zero', 0],
	['minus zero', -0],
	['NaN', Number.NaN],
	['infinity', Number.POSITIVE_INFINITY],
	['minus infinity', Number.NEGATIVE_INFINITY],
	['the smallest number', Number.MIN_VALUE],
	['the greatest number', Number.MAX_VALUE],
	['1e21', 1e21],
	['0.1 + 0.2', 0.1 + 0.2],
	['a bigint of zero', 0n],
	['the greatest u64', 2n ** 64n - 1n],
	['the smallest s64', -(2n ** 63n)],
	['a bigint far beyond 64 bits', -(10n ** 200n) - 1n],
	['true', true],
	['false', false],
	['no bytes', new Uint8Array()],
	['all bytes', Uint8Array.from({ length: 256 }, (_, index) => index)],
	['null', null],
	['an empty object', {}],
	['an empty array', []],
	['nested JSON', { a: [1, 'two', { three: [null, true, { four: {} }] }], '': '', ä: '\ud800' }],
	['JSON with a key __proto__', JSON.parse('{"__proto__":{"admin":true}}')],
];

describe('a value', () => {
	it.each(remarkable)('comes back as it was written: %s', async (_, value) => {
		const { state } = open();
		await state.set('key', value);
		const back = await state.get('key');
		expect(back).toStrictEqual(value);
		expect(Object.is(back, -0)).toBe(Object.is(value, -0));
		expect(await state.entries()).toStrictEqual([['key', value]]);
	});

	it('comes back as it was written: anything', async () => {
		await fc.assert(
			fc.asyncProperty(anyValue, async (value) => {
				const { state } = open();
				await state.set('key', value);
				expect(await state.get('key')).toStrictEqual(value);
			}),
			{ numRuns: 2000 },
		);
	});

	it('is kept as text that survives UTF-8 and has no NUL, so that any store can hold it', () => {
		fc.assert(
			fc.property(anyValue, (value) => {
				const text = encodeStateValue(value);
				expect(Buffer.from(text).toString()).toBe(text);
				expect(text).not.toContain('\0');
			}),
			{ numRuns: 2000 },
		);
	});

	it('keeps what it was when the object that was written, or read, is changed later', async () => {
		const { state } = open();
		const list = [1];
		const bytes = Uint8Array.of(1);
		await state.set('list', list);
		await state.set('bytes', bytes);
		list.push(2);
		bytes[0] = 2;
		((await state.get('list')) as number[]).push(3);
		((await state.get('bytes')) as Uint8Array)[0] = 3;
		expect(await state.get('list')).toEqual([1]);
		expect(await state.get('bytes')).toEqual(Uint8Array.of(1));
	});

	it('may be a part of a greater buffer, of which nothing else is kept', async () => {
		const { state } = open();
		await state.set('bytes', Buffer.from('secret public secret').subarray(7, 13));
		expect(await state.get('bytes')).toStrictEqual(new Uint8Array(Buffer.from('public')));
	});

	it.each([
		['undefined cannot be stored in session state.', undefined],
		['A function cannot be stored in session state.', () => {}],
	])('of no type that is kept is named: %s', async (sentence, value) => {
		await expect(open().state.set('key', value as never)).rejects.toThrow(new TypeError(sentence));
	});

	it.each([
		['undefined', undefined],
		['a function', () => {}],
		['a symbol', Symbol('s')],
		['a date', new Date(0)],
		['a map', new Map([[1, 2]])],
		['a set', new Set([1])],
		['other typed arrays', new Uint16Array(2)],
		['a regular expression', /x/],
		['an error', new Error('x')],
		['NaN within JSON', [Number.NaN]],
		['infinity within JSON', { a: { b: Number.POSITIVE_INFINITY } }],
		['undefined within an array', [undefined]],
		['a function within JSON', { a: () => {} }],
		['a bigint within JSON', { a: 1n }],
		['bytes within JSON', { a: new Uint8Array(1) }],
		['a date within JSON', [new Date(0)]],
		[
			'an object of a class',
			new (class Money {
				amount = 1;
			})(),
		],
		['an object of a class within JSON', { a: [Object.create({ inherited: 1 })] }],
		['an object that JSON would write as a text', { toJSON: () => '1970-01-01' }],
		['an object that JSON would write as another', { a: { toJSON: () => ({ b: 1 }) } }],
		['a list that JSON would write as another', Object.assign([1], { toJSON: () => [2] })],
	])('that could not come back as it was is refused: %s', async (_, value) => {
		const { state, info } = open();
		await expect(state.set('key', value as StateValue)).rejects.toThrow(TypeError);
		await expect(state.update('key', () => [value] as StateValue)).rejects.toThrow(TypeError);
		expect(info.stats().stateValues).toBe(0);
	});

	it('that contains itself is refused', async () => {
		const { state } = open();
		const loop: Record<string, StateValue> = {};
		loop['self'] = loop as StateValue;
		await expect(state.set('key', loop as StateValue)).rejects.toThrow(TypeError);
	});

	it.each(['', 'q', 'nfoo', 'n', 'n 1', 'n01', 'i', 'i1.5', 'i0x10', 'i 1', 'b', 'b2', 'bx', 'x!', 'xQQ', 'j{', 'j'])(
		'that was not written by us is called corrupt, never made up: %j',
		async (text) => {
			const { info, state } = open();
			info.writeState('s', 'key', '*', text);
			expect(() => decodeStateValue(text)).toThrow(SessionManagerError);
			await expect(state.get('key')).rejects.toThrow(failure('corrupt'));
			await expect(state.entries()).rejects.toThrow(failure('corrupt'));
			await expect(state.update('key', () => 1)).rejects.toThrow(failure('corrupt'));
		},
	);
});

describe('keys', () => {
	it('are told apart by case, by any character and from what objects inherit', async () => {
		const { state } = open();
		const keys = ['a', 'A', ' ', 'a b', 'a:b', 'a\0b', '__proto__', 'constructor', 'ä', 'META', 'meta ', '🜚', '*'];
		for (const [index, key] of keys.entries()) await state.set(key, index);
		for (const [index, key] of keys.entries()) expect(await state.get(key)).toBe(index);
		expect((await state.entries()).length).toBe(keys.length);
	});

	it.each(['', '__meta__', '__metadata__', 'metadata', 'meta', '\ud800', 'a\udfffb', '\udc00\ud800'])(
		'that are reserved, empty or not well-formed are refused: %j',
		async (key) => {
			const { state, info } = open();
			await expect(state.get(key)).rejects.toEqual(failure('invalid-key'));
			await expect(state.has(key)).rejects.toEqual(failure('invalid-key'));
			await expect(state.set(key, 1)).rejects.toEqual(failure('invalid-key'));
			await expect(state.delete(key)).rejects.toEqual(failure('invalid-key'));
			await expect(state.update(key, () => 1)).rejects.toEqual(failure('invalid-key'));
			await expect(state.increment(key)).rejects.toEqual(failure('invalid-key'));
			expect(info.stats().stateValues).toBe(0);
		},
	);

	it('that are no strings are refused', async () => {
		const { state } = open();
		for (const key of [undefined, null, 1, {}, ['a']]) {
			await expect(state.set(key as unknown as string, 1)).rejects.toEqual(failure('invalid-key'));
		}
	});

	it('take 1,024 bytes and not one more', async () => {
		const { state } = open();
		for (const key of ['k'.repeat(1024), 'ä'.repeat(512)]) {
			await state.set(key, 1);
			expect(await state.get(key)).toBe(1);
			await expect(state.set(`${key}k`, 1)).rejects.toThrow(failure('limit'));
		}
	});
});

describe('limits', () => {
	it('take a text of 1 MiB and not one byte more', async () => {
		const { state } = open();
		const limit = 1024 * 1024;
		await state.set('ascii', 'x'.repeat(limit));
		await state.set('wide', 'ä'.repeat(limit / 2));
		expect(await state.get('ascii')).toHaveLength(limit);
		await expect(state.set('ascii', 'x'.repeat(limit + 1))).rejects.toThrow(failure('limit'));
		await expect(state.set('wide', `${'ä'.repeat(limit / 2)}x`)).rejects.toThrow(failure('limit'));
		await expect(state.update('wide', () => ['x'.repeat(limit)])).rejects.toThrow(failure('limit'));
		expect(await state.get('wide')).toHaveLength(limit / 2);
	});
});

describe('state', () => {
	it('answers what is there and what is not', async () => {
		const { state } = open();
		expect(await state.get('key')).toBeUndefined();
		expect(await state.has('key')).toBe(false);
		expect(await state.entries()).toEqual([]);
		await state.set('key', null);
		expect(await state.has('key')).toBe(true);
		expect(await state.get('key')).toBeNull();
		await state.set('key', 'replaced');
		expect(await state.entries()).toEqual([['key', 'replaced']]);
		await state.delete('key');
		await state.delete('key');
		expect(await state.has('key')).toBe(false);
	});

	it('is one for all handles of the session, and apart from other sessions', async () => {
		const { info, state } = open();
		info.create(sampleRecord('other'));
		await state.set('key', 1);
		expect(await new SessionState(info, 's').get('key')).toBe(1);
		expect(await new SessionState(info, 'other').get('key')).toBeUndefined();
	});

	it('of a session that ended reads as nothing and refuses writes', async () => {
		const { info, state } = open();
		await state.set('key', 1);
		info.delete('s');
		expect(await state.get('key')).toBeUndefined();
		expect(await state.has('key')).toBe(false);
		expect(await state.entries()).toEqual([]);
		for (const write of [
			() => state.set('key', 1),
			() => state.delete('key'),
			() => state.update('key', () => 1),
			() => state.update('key', () => undefined),
			() => state.increment('key'),
		]) {
			await expect(write()).rejects.toThrow(failure('no-such-session'));
		}
		expect(info.stats()).toEqual({ sessions: 0, records: 0, subscriptions: 0, stateValues: 0, leases: 0, bytes: 0 });
	});

	it('refuses an update when the session ends in the middle of it', async () => {
		const { info, state } = open();
		const update = state.update('key', () => {
			info.delete('s');
			return 1;
		});
		await expect(update).rejects.toThrow(failure('no-such-session'));
	});
});

describe('concurrent writers', () => {
	it('lose none of 1,000 increments', async () => {
		const { info, state } = open();
		const handles = [state, new SessionState(info, 's'), new SessionState(info, 's')];
		const answers = await Promise.all(
			Array.from({ length: 1000 }, (_, index) => handles[index % handles.length]?.increment('count')),
		);
		expect(await state.get('count')).toBe(1000);
		expect(new Set(answers).size).toBe(1000);
	});

	it('lose none of 1,000 items of a cart', async () => {
		const { state } = open();
		await Promise.all(
			Array.from({ length: 1000 }, (_, item) =>
				state.update('cart', (cart) => [...((cart as number[] | undefined) ?? []), item]),
			),
		);
		const cart = (await state.get('cart')) as number[];
		expect(cart.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, item) => item));
	});

	it('lose nothing when the change takes its time', async () => {
		const { state } = open();
		const turn = () => new Promise((resolve) => setImmediate(resolve));
		await Promise.all(
			Array.from({ length: 20 }, () =>
				state.update('count', async (count) => {
					await turn();
					return ((count as number | undefined) ?? 0) + 1;
				}),
			),
		);
		expect(await state.get('count')).toBe(20);
	});

	it('see a set or a delete that came in between', async () => {
		const { state } = open();
		await state.set('key', 1);
		const seen: (StateValue | undefined)[] = [];
		const between = [() => state.set('key', 10), () => state.delete('key'), async () => {}];
		const answer = await state.update('key', async (value) => {
			seen.push(value);
			await between.shift()?.();
			return ((value as number | undefined) ?? 0) + 1;
		});
		expect(seen).toEqual([1, 10, undefined]);
		expect(answer).toBe(1);
	});

	it('are told when others are always faster, and nothing is written', async () => {
		class AlwaysTooLate extends InMemoryInfoSessionManager {
			override writeState(): boolean {
				return false;
			}
		}
		const info = new AlwaysTooLate();
		info.create(sampleRecord('s'));
		await expect(new SessionState(info, 's').update('key', () => 1)).rejects.toThrow(failure('conflict'));
	});
});

describe('update', () => {
	it('answers the new value, and removes the key for undefined', async () => {
		const { state } = open();
		expect(await state.update('key', (value) => (value === undefined ? 'new' : 'old'))).toBe('new');
		expect(await state.update('key', (value) => (value === undefined ? 'new' : 'old'))).toBe('old');
		expect(await state.update('key', () => undefined)).toBeUndefined();
		expect(await state.has('key')).toBe(false);
		expect(await state.update('never', () => undefined)).toBeUndefined();
	});

	it('changes nothing when the change throws', async () => {
		const { state } = open();
		await state.set('key', 1);
		const update = state.update('key', () => {
			throw new RangeError('no');
		});
		await expect(update).rejects.toThrow(RangeError);
		expect(await state.get('key')).toBe(1);
	});
});

describe('increment', () => {
	it('adds to numbers and to bigints, from zero where there is nothing', async () => {
		const { state } = open();
		expect(await state.increment('number')).toBe(1);
		expect(await state.increment('number', 1.5)).toBe(2.5);
		expect(await state.increment('number', -3)).toBe(-0.5);
		expect(await state.increment('bigint', 2n ** 64n)).toBe(2n ** 64n);
		expect(await state.increment('bigint', -1n)).toBe(2n ** 64n - 1n);
	});

	it('refuses to mix types, and leaves the value', async () => {
		const { state } = open();
		await state.set('text', '1');
		await state.set('number', 1);
		await state.set('bigint', 1n);
		await expect(state.increment('text')).rejects.toThrow(TypeError);
		await expect(state.increment('number', 1n)).rejects.toThrow(TypeError);
		await expect(state.increment('bigint')).rejects.toThrow(TypeError);
		expect(Object.fromEntries(await state.entries())).toEqual({ text: '1', number: 1, bigint: 1n });
	});
});

describe('a key with a schema', () => {
	const cart: StateSchema<string[]> = {
		'~standard': {
			version: 1,
			async validate(value) {
				if (!Array.isArray(value)) return { issues: [{ message: 'a list is expected' }] };
				if (value.length > 2) return { issues: [{ message: 'too long' }, { message: 'by far' }] };
				return { value: value.map((item) => String(item).toUpperCase()) };
			},
		},
	};

	it('is of its type, and what the schema makes of what is written', async () => {
		const { state } = open();
		const entry = state.define('cart', cart);
		expect([await entry.get(), await entry.has()]).toEqual([undefined, false]);
		await entry.set(['apple']);
		expect(await entry.update((items = []) => [...items, 'pear'])).toEqual(['APPLE', 'PEAR']);
		expect([await entry.get(), await state.get('cart')]).toEqual([
			['APPLE', 'PEAR'],
			['APPLE', 'PEAR'],
		]);
		expect(await entry.update(() => undefined)).toBeUndefined();
		expect(await entry.has()).toBe(false);
		await entry.set(['apple']);
		await entry.delete();
		expect(await state.has('cart')).toBe(false);
	});

	it('is known to the compiler to be there after an update that does not remove it', async () => {
		const entry = open().state.define('cart', cart);
		const kept: string[] = await entry.update((items = []) => [...items, 'pear']);
		const keptLater: string[] = await entry.update(async (items = []) => [...items, 'fig']);
		expect([kept, keptLater]).toEqual([['PEAR'], ['PEAR', 'FIG']]);
		// @ts-expect-error: what an update may remove may not be there afterwards.
		const removed: string[] = await entry.update((items) => (items?.length === 2 ? undefined : items));
		expect(removed).toBeUndefined();
	});

	it('takes nothing that does not fit, and says why', async () => {
		const { state } = open();
		const entry = state.define('cart', cart);
		await entry.set(['apple']);
		await expect(entry.set('pear' as never)).rejects.toEqual(failure('invalid-value'));
		await expect(entry.set(undefined as never)).rejects.toEqual(failure('invalid-value'));
		await expect(entry.set(['a', 'b', 'c'])).rejects.toThrow('State key "cart": too long; by far');
		await expect(entry.update((items = []) => [...items, 'b', 'c'])).rejects.toEqual(failure('invalid-value'));
		expect(await entry.get()).toEqual(['APPLE']);
	});

	it('says where in the value something does not fit', async () => {
		const orders = v.object({
			items: v.array(v.object({ name: v.string(), count: v.pipe(v.number(), v.minValue(1)) })),
		});
		const entry = open().state.define('order', orders);
		const order = {
			items: [
				{ name: 'apple', count: 1 },
				{ name: 7, count: 0 },
			],
		};
		await expect(entry.set(order as never)).rejects.toThrow(
			/^State key "order": items\.1\.name: Invalid type: .+; items\.1\.count: Invalid value: .+$/,
		);
	});

	it('computes what is not there, checked', async () => {
		const { state } = open();
		const entry = state.define('cart', cart);
		expect(await entry.getOrCompute(() => ['apple'])).toEqual(['APPLE']);
		expect(await entry.getOrCompute(async () => ['pear'])).toEqual(['APPLE']);
		await entry.delete();
		await expect(entry.getOrCompute(() => ['a', 'b', 'c'])).rejects.toEqual(failure('invalid-value'));
		await expect(entry.getOrCompute(() => undefined as never)).rejects.toEqual(failure('invalid-value'));
		expect(await entry.has()).toBe(false);
	});

	it('hands out nothing that does not fit either', async () => {
		const { state } = open();
		await state.set('cart', 'not a list');
		const entry = state.define('cart', cart);
		await expect(entry.get()).rejects.toEqual(failure('invalid-value'));
		await expect(entry.update(() => ['apple'])).rejects.toEqual(failure('invalid-value'));
		expect(await state.get('cart')).toBe('not a list');
	});

	it('obeys the rules of keys', () => {
		expect(() => open().state.define('metadata', cart)).toThrow(failure('invalid-key'));
	});
});

describe('state as a whole', () => {
	it('can be cleared, and used again', async () => {
		const { state } = open();
		await state.set('a', 1);
		await state.set('b', 2);
		await state.clear();
		expect(await state.entries()).toEqual([]);
		await state.set('a', 3);
		expect(await state.entries()).toEqual([['a', 3]]);
	});
});

describe('getOrCompute', () => {
	it('computes once, and keeps falsy values', async () => {
		for (const value of [0, '', false, null, 'x']) {
			const { state } = open();
			expect(await state.getOrCompute('key', async () => value)).toBe(value);
			expect(await state.getOrCompute('key', () => 'again')).toBe(value);
		}
	});

	it('answers the same to all who compute at once', async () => {
		const { info } = open();
		const nodes = Array.from({ length: 3 }, () => new SessionState(info, 's'));
		const values = await Promise.all(nodes.map((state, node) => state.getOrCompute('key', async () => node)));
		expect(new Set(values).size).toBe(1);
	});

	it('computes once for all who ask on one node at the same time', async () => {
		const { state } = open();
		let computed = 0;
		const compute = async () => ++computed;
		expect(await Promise.all([1, 2, 3].map(() => state.getOrCompute('key', compute)))).toEqual([1, 1, 1]);
		await state.delete('key');
		expect(await state.getOrCompute('key', compute)).toBe(2);
		const fails = () => Promise.reject(new Error('no'));
		const failed = await Promise.allSettled([1, 2].map(() => state.getOrCompute('other', fails)));
		expect(failed.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
		expect(await state.getOrCompute('other', compute)).toBe(3);
	});

	it('keeps nothing where computing fails', async () => {
		const { state } = open();
		await expect(
			state.getOrCompute('key', () => {
				throw new Error('no');
			}),
		).rejects.toThrow('no');
		expect(await state.has('key')).toBe(false);
	});
});

describe('updates of one key', () => {
	it('take turns on a node, and one that fails stops no other', async () => {
		const { state } = open();
		const results = await Promise.allSettled(
			Array.from({ length: 500 }, (_, index) =>
				state.update('key', async (value) => {
					if (index % 5 === 0) throw new Error('no');
					return Number(value ?? 0) + 1;
				}),
			),
		);
		expect(results.filter(({ status }) => status === 'rejected')).toHaveLength(100);
		expect(await state.get('key')).toBe(400);
	});
});
