import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { countJsonValues } from '../../src/protocol/json-bounds.ts';

const count = (value: unknown): number =>
	typeof value === 'object' && value !== null ? Object.values(value).reduce<number>((n, one) => n + count(one), 1) : 1;

describe('the values of a JSON text', () => {
	it('are counted as they are once it is parsed, however it is written', () => {
		fc.assert(
			fc.property(fc.json({ maxDepth: 6 }), fc.constantFrom('', ' ', '\n', '\t'), (text, indent) => {
				const value: unknown = JSON.parse(text);
				expect(countJsonValues(JSON.stringify(value, undefined, indent))).toBe(count(value));
			}),
			{ numRuns: 500 },
		);
	});

	it.each(['"\\\\"', '"\\""', '["\\\\\\"[[[[", "]"]', '{"[,\\",": ",,,"}', '"\\u0022,["'])(
		'are not looked for in strings: %s',
		(text) => {
			expect(countJsonValues(text)).toBe(count(JSON.parse(text)));
		},
	);

	it('are refused one past the limit', () => {
		const list = (values: number) => `[${Array(values).fill('{}').join(', ')}]`;
		expect(countJsonValues(list(99), 100)).toBe(100);
		expect(countJsonValues(list(100), 100)).toBeUndefined();
		expect(countJsonValues(list(99_999))).toBe(100_000);
		expect(countJsonValues(list(100_000))).toBeUndefined();
	});

	it.each([
		['[', ']'],
		['{"a":', '}'],
	])('are refused one level too deep: %s', (open, close) => {
		const nested = (depth: number) => `${open.repeat(depth)}0${close.repeat(depth)}`;
		expect(countJsonValues(nested(100))).toBe(101);
		expect(countJsonValues(nested(101))).toBeUndefined();
		expect(countJsonValues(`[${nested(99)},${nested(99)}]`)).toBe(201);
	});

	it('are counted of any text in time that is linear in it', () => {
		fc.assert(fc.property(fc.string(), (text) => countJsonValues(text) !== null));
		const length = 4_000_000;
		for (const part of ['\\', '\\"', '"', ' ', 'x']) {
			const text = `"${part.repeat(length / part.length)}`;
			const before = process.cpuUsage();
			countJsonValues(text);
			// Linear time is some milliseconds, quadratic time would be minutes.
			expect(process.cpuUsage(before).user / 1_000).toBeLessThan(2_000);
		}
	});
});
