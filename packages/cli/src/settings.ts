import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { UsageError } from './exit.js';
import type { Terminal } from './terminal.js';

/** What a deployment is and where: from flags, else from `HOLDFAST_*`, else from the configuration file. */
export interface Settings {
	/** The store: `redis://…`, `postgres://…`, or the path of a SQLite file. */
	readonly store?: string | undefined;
	/** The endpoint of the servers, through the balancer: `https://host/mcp`. */
	readonly url?: string | undefined;
	/** The bearer token that the endpoint wants. It is never shown. */
	readonly token?: string | undefined;
	/**
	 * The schema in PostgreSQL.
	 * @default `holdfast`
	 */
	readonly schema?: string | undefined;
	/** Where PostgreSQL is reached without its pooler. */
	readonly listenUrl?: string | undefined;
	/**
	 * The prefix of the keys in Redis.
	 * @default `holdfast:`
	 */
	readonly keyPrefix?: string | undefined;
	/**
	 * The most sessions of the store, as the servers have it.
	 * @default 100,000; with PostgreSQL 10,000
	 */
	readonly maxSessions?: number | undefined;
	/**
	 * How long `doctor` watches a stream, in milliseconds.
	 * @default 65_000
	 */
	readonly watchMs?: number | undefined;
	/** Where conversations are kept: the folder, the SQLite file, or `postgres://…`. */
	readonly conversations?: string | undefined;
	/**
	 * The file that what operators do is appended to, a line of JSON each.
	 * @default standard error
	 */
	readonly auditLog?: string | undefined;
}

/** Each setting, and whether it is a number. */
const isNumber = {
	store: false,
	url: false,
	token: false,
	schema: false,
	listenUrl: false,
	keyPrefix: false,
	maxSessions: true,
	watchMs: true,
	conversations: false,
	auditLog: false,
} as const satisfies Record<keyof Settings, boolean>;

const names = Object.keys(isNumber) as (keyof Settings)[];
/** The file that is read where it is there. */
const CONFIG_FILE = 'holdfast.config.json';

/** Returns the name of a flag: `key-prefix` for `keyPrefix`. */
export function flagOf(name: keyof Settings): string {
	return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** The flags of all settings, as `parseArgs` takes them. */
export const settingFlags: Readonly<Record<string, { readonly type: 'string' }>> = Object.fromEntries(
	names.map((name) => [flagOf(name), { type: 'string' as const }]),
);

/** Puts the settings together. Throws {@link UsageError} for what cannot be one. */
export function readSettings(flags: Readonly<Record<string, unknown>>, { env, folder }: Terminal): Settings {
	const file = readFile(folder, flags['config']);
	const found = names.map((name) => {
		const flag = flagOf(name);
		const variable = `HOLDFAST_${flag.replaceAll('-', '_').toUpperCase()}`;
		if (flags[flag] !== undefined) return [name, checked(name, flags[flag], `--${flag}`)] as const;
		// An empty variable is one that somebody has cleared.
		if (env[variable]) return [name, checked(name, env[variable], variable)] as const;
		return [name, file[name] === undefined ? undefined : checked(name, file[name], `"${name}"`)] as const;
	});
	return Object.fromEntries(found);
}

function checked(name: keyof Settings, value: unknown, where: string): string | number {
	if (!isNumber[name]) {
		if (typeof value === 'string' && value !== '') return value;
		throw new UsageError(`${where} must be text.`);
	}
	const number = typeof value === 'string' && value !== '' ? Number(value) : value;
	if (typeof number === 'number' && Number.isSafeInteger(number) && number >= 0) return number;
	throw new UsageError(`${where} must be a whole number.`);
}

function readFile(folder: string, given: unknown): Readonly<Record<string, unknown>> {
	const path = join(folder, CONFIG_FILE);
	let text: string;
	try {
		text = readFileSync(typeof given === 'string' ? given : path, 'utf8');
	} catch (error) {
		if (given === undefined && (error as { readonly code?: unknown }).code === 'ENOENT') return {};
		throw new UsageError(`The configuration file cannot be read: ${(error as Error).message}`);
	}
	const parsed = parse(text);
	if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
		throw new UsageError('The configuration file must be one JSON object.');
	const unknown = Object.keys(parsed).find((name) => !names.includes(name as keyof Settings));
	if (unknown === undefined) return { ...parsed };
	throw new UsageError(`The configuration file names "${unknown}"; it may name ${names.join(', ')}.`);
}

/** The text of a configuration may hold a token, so the parser's error, which quotes it, is not passed on. */
function parse(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch {
		throw new UsageError('The configuration file is not JSON.');
	}
}
