let make: (markup: string) => Html;

/** Markup that is safe to send. Only {@link html} makes it, so whatever came from outside was escaped on its way in. */
export class Html {
	readonly #markup: string;

	private constructor(markup: string) {
		this.#markup = markup;
	}

	static {
		make = (markup) => new Html(markup);
	}

	toString(): string {
		return this.#markup;
	}
}

/** What may stand in a template. `undefined` and `false` leave nothing. */
export type Part = Html | string | number | undefined | false | readonly Part[];

/**
 * Writes markup. Texts are escaped, for content and for quoted attributes alike, and lose what cannot be seen, such as
 * control characters and those that turn the direction of writing. Throws `TypeError` for an attribute without quotes.
 */
export function html(literals: TemplateStringsArray, ...parts: readonly Part[]): Html {
	let markup = literals[0] ?? '';
	for (const [index, part] of parts.entries()) {
		if (/=\s*$/.test(literals[index] ?? '')) throw new TypeError(`Quote the attribute after ${literals[index]}.`);
		markup += written(part) + literals[index + 1];
	}
	return make(markup);
}

function written(part: Part): string {
	if (part === undefined || part === false) return '';
	if (part instanceof Html) return part.toString();
	if (Array.isArray(part)) return part.map(written).join('');
	if (typeof part === 'string' || typeof part === 'number') return escaped(String(part));
	throw new TypeError('A template takes text, numbers, markup and lists of them.');
}

const entities: Readonly<Record<string, string>> = {
	'&': '&amp;',
	'<': '&lt;',
	'>': '&gt;',
	'"': '&quot;',
	"'": '&#39;',
};

function escaped(text: string): string {
	return text
		.replaceAll(/(?![\n\t])\p{C}/gu, '\ufffd')
		.replaceAll(/[&<>"']/g, (character) => entities[character] ?? '');
}
