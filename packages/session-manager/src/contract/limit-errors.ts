import { SessionManagerError } from './session-manager-error.js';
import type { SessionRecord } from './session-record.js';

/**
 * Returns how many records like `record` a store may hold that may hold `maxSessions`: strangers, of whom nobody knows
 * how many records are theirs, leave a quarter of what is no session to everybody else.
 */
export function roomFor({ kind, principal }: SessionRecord, maxSessions: number): number {
	return kind !== undefined && principal === undefined ? Math.ceil(maxSessions * 0.75) : maxSessions;
}

/** Returns the error of `create` where a principal has as many sessions, or records of `kind`, as it may have. */
export function principalLimit(most: number, kind: string | undefined): SessionManagerError {
	const what = `${kind ?? 'session'}s`;
	return new SessionManagerError(
		'principal-limit',
		`A principal may have at most ${most} ${what}; end one of them first.`,
	);
}

/** Returns the error of `create` where the store has as many sessions, or records of any kind, as it may have. */
export function storeLimit(most: number, kind: string | undefined): SessionManagerError {
	const what = kind === undefined ? 'sessions' : 'records beside its sessions';
	return new SessionManagerError('limit', `The store already holds ${most} ${what}; raise maxSessions or end some.`);
}
