import { expect, test } from 'vitest';
import { clipped, lasted, sized } from '../src/html/format.ts';
import { html } from '../src/html/html.ts';

test.each([
	['<script>alert(1)</script>', '&lt;script&gt;alert(1)&lt;/script&gt;'],
	['" onclick="alert(1)', '&quot; onclick=&quot;alert(1)'],
	["' autofocus onfocus='alert(1)", '&#39; autofocus onfocus=&#39;alert(1)'],
	['&lt;', '&amp;lt;'],
	['a\u202eb\u0000c\u200bd', 'a\ufffdb\ufffdc\ufffdd'],
	['\ud800', '\ufffd'],
])('%j is text, in content and in attributes', (given, written) => {
	expect(html`<p title="${given}">${given}</p>`.toString()).toBe(`<p title="${written}">${written}</p>`);
});

test('markup is only what a template made', () => {
	const inner = html`<b>${'<'}</b>`;
	expect(html`${[inner, '<', 7]}${undefined}${false}`.toString()).toBe('<b>&lt;</b>&lt;7');
	const pretender = { toString: () => '<script>' };
	// @ts-expect-error An object that looks like markup is none.
	expect(() => html`${pretender}`.toString()).toThrow(TypeError);
});

test('an attribute without quotes is a mistake, whatever a text ends with', () => {
	expect(() => html`<p title=${'x'}>`).toThrow(/^Quote the attribute/);
	expect(html`${'a='}${'b'}`.toString()).toBe('a=b');
});

test('values are shown short', () => {
	expect(clipped('abcdef', 4)).toBe('abc…');
	expect([...clipped('👍'.repeat(50), 10)]).toHaveLength(10);
	expect([sized(17), sized(1_234), sized(2_500_000)]).toEqual(['17 B', '1.2 kB', '2.5 MB']);
	expect([lasted(-5), lasted(119_000), lasted(600_000), lasted(3 * 86_400_000)]).toEqual([
		'0 s',
		'119 s',
		'10 min',
		'3 d',
	]);
});
