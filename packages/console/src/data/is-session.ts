import type { SessionRecord } from '@holdfast/session-manager';

/** Returns whether a record is a session. A manager that knows no other kinds of records lists them all. */
export function isSession({ kind }: SessionRecord): boolean {
	return kind === undefined;
}
