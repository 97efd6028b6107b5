import * as v from 'valibot';
import { nearest } from './nearest.js';

/** A schema for each option of `T`. An option that may be left out may also be `undefined`. */
export type OptionSchemas<T> = { readonly [Name in keyof Required<T>]: v.GenericSchema };

/**
 * Checks the options that a user passed to `owner`. Throws `TypeError` with one sentence for the first mistake: an
 * option that does not exist, with the nearest one that does, one that is missing, or a value that cannot work.
 */
export function checkOptions(
	owner: string,
	schemas: Readonly<Record<string, v.GenericSchema>>,
	options: unknown,
): void {
	if (!isObject(options)) throw new TypeError(`The options of ${owner} must be an object, not ${shown(options)}.`);
	const [issue] = v.safeParse(v.strictObject(schemas), options).issues ?? [];
	if (issue !== undefined) throw new TypeError(sentenceOf(owner, schemas, issue));
}

function sentenceOf(
	owner: string,
	schemas: Readonly<Record<string, v.GenericSchema>>,
	issue: v.BaseIssue<unknown>,
): string {
	const path = (issue.path ?? []).map(({ key }) => String(key));
	const name = path.join('.');
	if (issue.expected === `"${path.at(-1)}"`) return `${owner} needs the option ${name}.`;
	// An unknown name is an issue of the object around it.
	if (issue.expected !== 'never') {
		const around = path.slice(0, -1).reduce((level, member) => membersOf(level[member]), schemas);
		const schema = around[path.at(-1) ?? ''];
		return `${owner}: ${name} must be ${issue.message}, not ${wrongWith(issue, schema)}.`;
	}
	const known = path.length === 1 ? schemas : membersOf(schemas[path[0] ?? '']);
	const hint = nearest(path.at(-1) ?? '', Object.keys(known));
	const prefix = path.slice(0, -1).map((member) => `${member}.`);
	const question = hint === undefined ? '' : ` Did you mean ${prefix.join('')}${hint}?`;
	return `${owner} has no option ${name}.${question}`;
}

/** Says what a value is, or what in a list is wrong, by its place: it may be a secret. */
function wrongWith({ input, message }: v.BaseIssue<unknown>, schema: v.GenericSchema | undefined): string {
	if (!Array.isArray(input) || schema === undefined || !/\blist\b/.test(message)) return shown(input);
	if (input.length === 0) return 'an empty list';
	const place = input.findIndex((member) => !v.is(schema, [member]));
	return place === -1 ? shown(input) : `a list whose member ${place + 1} is something else`;
}

/** Returns the schemas of an option that is an object. */
function membersOf(schema: v.GenericSchema | undefined): Readonly<Record<string, v.GenericSchema>> {
	const inner = (schema as { readonly wrapped?: v.GenericSchema } | undefined)?.wrapped ?? schema;
	return (inner as { readonly entries?: Record<string, v.GenericSchema> } | undefined)?.entries ?? {};
}

/** Returns how a sentence names a value: short, and without what may be secret in an object. */
export function shown(value: unknown): string {
	if (typeof value === 'string') return `'${value.length > 60 ? `${value.slice(0, 60)}…` : value}'`;
	if (typeof value === 'function') return value.name === '' ? 'a function' : `the function ${value.name}`;
	if (Array.isArray(value)) return 'a list';
	if (!isObject(value)) return String(value);
	const name = typeof value.constructor === 'function' ? value.constructor.name : '';
	return name === '' || name === 'Object' ? 'an object' : `an object of class ${name}`;
}

function isObject(value: unknown): value is Record<string, unknown> {
	return typeof value === 'object' && value !== null && !Array.isArray(value);
}
