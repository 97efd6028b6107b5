/**
 * Quotes the name of a schema or a channel. Every identifier that is not a constant of this package passes through
 * here. Names that would have to be escaped are refused.
 */
export function quoted(name: string): string {
	if (isIdentifier(name)) return `"${name}"`;
	throw new TypeError(
		`The name of a schema must be 1 to 63 letters, digits, "_" or "-" of ASCII, not ${JSON.stringify(name)}.`,
	);
}

/** Returns whether {@link quoted} takes it. */
export function isIdentifier(name: unknown): name is string {
	return typeof name === 'string' && /^[A-Za-z0-9_-]{1,63}$/.test(name);
}
