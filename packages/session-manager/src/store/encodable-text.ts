const ESCAPE = '\u0001"';

/**
 * Returns `text` so that another text is another one in UTF-8, too, where all lone surrogates are the same: text with
 * one is escaped. {@link originalText} returns what it was. A store that encodes what it compares (resources, keys,
 * principals, names) needs it.
 *
 * @example
 * ```ts source="../../test/examples/encodable-text.examples.ts#key"
 * const key = createHash('sha256').update(encodableText(uri)).digest('hex');
 * ```
 */
export function encodableText(text: string): string {
	// Most text has no surrogates at all, which is found out sooner.
	const isWellFormed = !/[\ud800-\udfff]/.test(text) || !/\p{Surrogate}/u.test(text);
	return isWellFormed && !text.startsWith(ESCAPE) ? text : `\u0001${JSON.stringify(text)}`;
}

/** Returns the text of which {@link encodableText} made `encoded`. */
export function originalText(encoded: string): string {
	if (!encoded.startsWith(ESCAPE)) return encoded;
	try {
		return JSON.parse(encoded.slice(1)) as string;
	} catch {
		// An older version stored it as it was.
		return encoded;
	}
}
