import process from 'node:process';
import type { Clock } from '@holdfast/session-manager';

/** How long a kind of error is only counted after a warning, in milliseconds. */
const QUIET_MS = 60_000;
/** How many kinds are told apart. */
const MAX_KINDS = 100;

/**
 * Warns of errors that nobody asked to hear of, so that they are not lost: once for each kind at first, and then once a
 * minute at most, with how many there were.
 */
export class Warnings {
	readonly #clock: Clock;
	readonly #kinds = new Map<string, { count: number; warnedAt: number }>();

	constructor(clock: Clock) {
		this.#clock = clock;
	}

	/** Counts the error, and warns where its kind is new or was quiet for a minute. */
	add(error: Error): void {
		const now = this.#clock.monotonic();
		const kind = kindOf(error);
		const known = this.#kinds.get(kind);
		const count = (known?.count ?? 0) + 1;
		if (known !== undefined && now - known.warnedAt < QUIET_MS) {
			known.count = count;
			return;
		}
		if (known === undefined && this.#kinds.size >= MAX_KINDS) return;
		this.#kinds.set(kind, { count: 0, warnedAt: now });
		const times = count === 1 ? '' : ` (${count} times)`;
		const end = /[.!?…]$/.test(error.message) ? '' : '.';
		process.emitWarning(`${error.message}${times}${end} Set onerror to hear of every error that reaches no client.`, {
			type: 'HoldfastWarning',
			...(error.stack !== undefined && { detail: error.stack }),
		});
	}
}

/** Numbers and quoted names differ from one error of a kind to the next. */
function kindOf(error: Error): string {
	const { code } = error as { readonly code?: unknown };
	return typeof code === 'string' ? `${error.name} ${code}` : error.message.replace(/\d+|'[^']*'/g, '#').slice(0, 200);
}
