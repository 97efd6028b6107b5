import type { InfoSessionManager, SessionRecord } from '@holdfast/session-manager';
import { UsageError } from '../exit.js';
import { hashedId, isShortHash, shortHash } from '../short-hash.js';

/** How many sessions are read at once. */
const PAGE = 500;

/** Yields the living sessions of a store. */
export async function* sessionsIn(info: InfoSessionManager): AsyncGenerator<SessionRecord> {
	let cursor: string | undefined;
	do {
		const page = await info.scan(cursor, PAGE);
		yield* page.records;
		cursor = page.cursor;
	} while (cursor !== undefined);
}

/** Returns the living session that `given`, an id or a short hash, names; `undefined` where there is none. */
export async function findSession(info: InfoSessionManager, given: string): Promise<SessionRecord | undefined> {
	const record = (await info.read(given)) ?? (await info.read(hashedId(given)));
	if (record?.kind !== undefined) return undefined;
	if (record !== undefined || !isShortHash(given)) return record;
	const found: SessionRecord[] = [];
	for await (const session of sessionsIn(info)) if (shortHash(session.id) === given) found.push(session);
	if (found.length > 1) throw new UsageError(`Several sessions have the short hash ${given}: name one by its id.`);
	return found[0];
}
