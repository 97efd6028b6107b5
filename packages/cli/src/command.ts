import { UsageError } from './exit.js';
import type { Settings } from './settings.js';
import type { Terminal } from './terminal.js';

/** What a command gets: its surroundings, the settings, its flags, and its arguments. */
export interface Call {
	readonly terminal: Terminal;
	readonly settings: Settings;
	readonly flags: Readonly<Record<string, string | boolean | undefined>>;
	/** What follows the command. */
	readonly arguments: readonly string[];
	/** The time now, in milliseconds since the Unix epoch. */
	readonly now: number;
}

/** Does what was asked. Resolves with the exit code. */
export type Command = (call: Call) => Promise<number>;

/** Returns the one argument of a command. Throws {@link UsageError} where it is missing, or is not the only one. */
export function onlyArgument(call: Call, what: string): string {
	const [argument, ...others] = call.arguments;
	if (argument === undefined || others.length > 0) throw new UsageError(`Name one ${what}.`);
	return argument;
}

/** Returns the one of `known` that is to be listed; `undefined` for all. Throws {@link UsageError} for another. */
export function statusAsked({ flags: { status } }: Call, known: readonly string[]): string | undefined {
	if (status === undefined || known.includes(String(status))) return status?.toString();
	throw new UsageError(`--status must be ${known.slice(0, -1).join(', ')} or ${known.at(-1)}.`);
}

/** How many are listed where nobody says how many. */
const LIMIT = 100;

/** Returns how many are to be listed. Throws {@link UsageError} for what is no number of that kind. */
export function limitOf({ flags: { limit } }: Call): number {
	if (limit === undefined) return LIMIT;
	const number = Number(limit);
	if (Number.isSafeInteger(number) && number > 0) return number;
	throw new UsageError('--limit must be a whole number above 0.');
}
