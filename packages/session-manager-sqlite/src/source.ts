import { isThenable } from '@holdfast/session-manager/custom';
import { hasMethods, shown } from '@holdfast/session-manager/internal';
import type { SqliteSource } from './file/driver.js';

const EXPECTED = "the path of a file such as './sessions.db', or an open connection to one";

/** Throws `TypeError` for what cannot be a source, with one sentence that says what to pass. */
export function checkSource(owner: string, source: unknown): asserts source is SqliteSource {
	if (typeof source === 'string') {
		// What is in memory, or behind a URL, is no file that another process can open.
		if (source !== '' && !/^(:|file:|[a-z][a-z0-9+.-]*:\/\/)/i.test(source)) return;
		throw new TypeError(`${owner} needs ${EXPECTED}; ${shown(source)} is no path of a file.`);
	}
	if (isThenable(source)) throw new TypeError(`${owner} needs ${EXPECTED}, not a promise: await it first.`);
	if (hasMethods(source, ['exec', 'prepare', 'close'])) return;
	throw new TypeError(`${owner} needs ${EXPECTED}, not ${shown(source)}.`);
}
