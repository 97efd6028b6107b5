/** How many texts a generation holds, and the longest of them. Clients choose the texts, so there must be limits. */
const MAX_TEXTS = 128;
const MAX_LENGTH = 2_048;

interface Shared {
	readonly text: string;
	readonly value: unknown;
}

/** The texts that were needed lately. Once these are many, those that were not needed since are forgotten. */
let recent = new Map<string, Shared>();
let older = new Map<string, Shared>();

/**
 * Parses JSON that many sessions have in common, such as what clients of one kind say of themselves. Equal texts give
 * the same value, so that many take the memory of one; whatever is returned is frozen, with all that is in it. Throws
 * `SyntaxError` as `JSON.parse` does.
 */
export function parseShared(text: string): unknown {
	return shared(text).value;
}

/** Returns the same text for equal ones, which are parsed later by {@link parseShared}. */
export function sharedText(text: string): string {
	return shared(text).text;
}

/** Returns what {@link parseShared} makes of the JSON of `value`. */
export function sharedValue<T>(value: T): T {
	return parseShared(JSON.stringify(value)) as T;
}

function shared(text: string): Shared {
	const known = recent.get(text) ?? older.get(text);
	const found = known ?? { text, value: frozen(JSON.parse(text)) };
	if (text.length <= MAX_LENGTH && !recent.has(text)) {
		if (recent.size >= MAX_TEXTS) {
			older = recent;
			recent = new Map();
		}
		recent.set(text, found);
	}
	return found;
}

function frozen<T>(value: T): T {
	if (typeof value !== 'object' || value === null) return value;
	for (const part of Object.values(value)) frozen(part);
	return Object.freeze(value);
}
