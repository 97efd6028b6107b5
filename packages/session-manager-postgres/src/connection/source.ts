import { isThenable, placeOf } from '@holdfast/session-manager/custom';
import { shown } from '@holdfast/session-manager/internal';
import type { ClientConfig } from 'pg';

/** How to reach PostgreSQL: a URL, or the configuration of a `pg` client. Managers make connections of their own. */
export type PostgresSource = string | ClientConfig;

const EXPECTED = "a URL such as 'postgres://localhost:5432/shop', or the configuration of a client of pg";

/** Throws `TypeError` for what cannot be a source, with one sentence that says what to pass. */
export function checkSource(owner: string, source: unknown): void {
	if (typeof source === 'string') return checkUrl(owner, source);
	if (typeof source !== 'object' || source === null || Array.isArray(source))
		throw new TypeError(`${owner} needs ${EXPECTED}, not ${shown(source)}.`);
	if (isThenable(source)) throw new TypeError(`${owner} needs ${EXPECTED}, not a promise: await it first.`);
	const { url, connect, query } = source as Readonly<Record<string, unknown>>;
	if (typeof connect === 'function' || typeof query === 'function') {
		throw new TypeError(
			`${owner} needs ${EXPECTED}; ${shown(source)} is connected already: pass what it was made with.`,
		);
	}
	if (url !== undefined) throw new TypeError(`${owner} takes the URL itself, not an object with a url.`);
}

function checkUrl(owner: string, source: string): void {
	const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(source)?.[1]?.toLowerCase();
	// The folder of a socket, as pg takes it.
	if (source.startsWith('/') || scheme === 'socket') return;
	if ((scheme === 'postgres' || scheme === 'postgresql') && URL.canParse(source)) return;
	throw new TypeError(`${owner} needs ${EXPECTED}; ${shown(placeOf(source))} is no URL of PostgreSQL.`);
}
