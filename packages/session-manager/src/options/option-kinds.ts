import * as v from 'valibot';

/** An option that `fits` accepts; `wanted` continues the sentence "must be …". It may be left out. */
export function option(wanted: string, fits: (value: unknown) => boolean): v.GenericSchema {
	return v.optional(v.custom<unknown>(fits, wanted));
}

/** An option that {@link option} describes, and that may not be left out. */
export function required(wanted: string, fits: (value: unknown) => boolean): v.GenericSchema {
	return v.custom<unknown>(fits, wanted);
}

/** An option that is an object with options of its own. */
export function group(wanted: string, schemas: Readonly<Record<string, v.GenericSchema>>): v.GenericSchema {
	return v.optional(v.strictObject(schemas, (issue) => (issue.expected === 'Object' ? wanted : issue.message)));
}

const isNumber = (value: unknown, isWhole: boolean) =>
	typeof value === 'number' &&
	value >= 0 &&
	(!isWhole || Number.isInteger(value) || value === Number.POSITIVE_INFINITY);

/** A duration. */
export const ms = option(
	'a number of milliseconds, 0 or more',
	(value) => isNumber(value, false) && Number.isFinite(value),
);
/** A size. */
export const bytes = option('a number of bytes, 0 or more', (value) => isNumber(value, false));
/** A size, where nothing would be as good as none. */
export const positiveBytes = option(
	'a number of bytes above 0',
	(value) => isNumber(value, false) && Number(value) > 0,
);
/** How many of something, where none would be of no use. */
export const positive = option('a whole number above 0', (value) => isNumber(value, true) && Number(value) > 0);
/** How many of something. */
export const count = option('a whole number, 0 or more', (value) => isNumber(value, true));
export const flag = option('true or false', (value) => typeof value === 'boolean');
export const text = option('text', (value) => typeof value === 'string');
export const callback = option('a function', (value) => typeof value === 'function');
/** A path of an endpoint. */
export const path = option("a path that begins with '/', without a query", isPath);
export const clock = option('a Clock, with the methods now, monotonic and after', (value) =>
	hasMethods(value, ['now', 'monotonic', 'after']),
);

/** One of a few words. */
export function word(...words: readonly string[]): v.GenericSchema {
	const quoted = words.map((each) => `'${each}'`);
	return option(`${quoted.slice(0, -1).join(', ')} or ${quoted.at(-1)}`, (value) => words.includes(value as string));
}

/** Returns whether `value` can be the path of an endpoint. */
export function isPath(value: unknown): boolean {
	return typeof value === 'string' && /^\/[^?#]*$/.test(value);
}

/** Returns whether `value` is an object with these methods. */
export function hasMethods(value: unknown, methods: readonly string[]): boolean {
	if (typeof value !== 'object' || value === null) return false;
	return methods.every((method) => typeof (value as Record<string, unknown>)[method] === 'function');
}
