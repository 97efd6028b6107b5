import { describe, expect, it } from 'vitest';
import { parseShared, sharedText, sharedValue } from '../src/contract/shared-json.ts';

/** A text that is like no other, of the same value each time. */
const textOf = (name: string) => JSON.stringify({ name, parts: [{ deep: { name } }] });

describe('JSON that many have in common', () => {
	it('is one value for equal texts, which nobody can change', () => {
		const value = parseShared(textOf('one')) as { parts: { deep: object }[] };
		expect(value).toEqual(JSON.parse(textOf('one')));
		expect(parseShared(`${textOf('one')}`)).toBe(value);
		expect(sharedValue(JSON.parse(textOf('one')))).toBe(value);
		const parts = [value, value.parts, value.parts[0], value.parts[0]?.deep];
		expect(parts.map((part) => Object.isFrozen(part))).toEqual([true, true, true, true]);
		expect(parseShared(textOf('two'))).not.toEqual(value);
	});

	it('is frozen, too, where the text is too long to be remembered', () => {
		const long = JSON.stringify({ text: 'x'.repeat(10_000) });
		expect(Object.isFrozen(parseShared(long))).toBe(true);
		expect(parseShared(long)).not.toBe(parseShared(long));
	});

	it('is no more than what was needed lately', () => {
		const [used, unused] = [parseShared(textOf('used')), parseShared(textOf('unused'))];
		for (let n = 0; n < 10_000; n++) {
			sharedText(textOf(`other ${n}`));
			if (n % 100 === 0) expect(parseShared(textOf('used'))).toBe(used);
		}
		expect(parseShared(textOf('unused'))).not.toBe(unused);
	});

	it('is refused where it is not JSON', () => {
		expect(() => parseShared('{')).toThrow(SyntaxError);
	});
});
