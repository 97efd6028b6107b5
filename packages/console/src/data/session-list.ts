import type { InfoSessionManager, SessionRecord } from '@holdfast/session-manager';
import { statusOf } from '@holdfast/session-manager/custom';
import { clientOf } from './census.js';
import { isSession } from './is-session.js';
import { shortHash } from './short-hash.js';

/** Which sessions a list shows. */
export interface SessionFilter {
	/** Part of the client's name, the principal or the short hash; upper and lower case are the same. */
	readonly text: string;
	/** Empty: any. */
	readonly status: string;
}

/** Where a page of the list begins. */
export interface ListPosition {
	/** The cursor of the store; absent at its beginning. */
	readonly cursor?: string | undefined;
	/** How many records after the cursor were shown before. */
	readonly skip: number;
}

/** A page of the list. */
export interface ListPage {
	readonly records: readonly SessionRecord[];
	/** Where the next page begins; absent on the last one. */
	readonly next?: ListPosition | undefined;
	/** How many records were looked at. */
	readonly examined: number;
}

/** How many sessions a page shows. */
const ROWS = 50;
/** How many records are read at once where a filter leaves most of them out. */
const FILTERED = 500;
/** How often a page reads the store at most. What is further on is on the next page. */
const MAX_READS = 10;

/** Reads a page of the living sessions that the filter lets through, in the order of the store. */
export async function listSessions(
	info: InfoSessionManager,
	filter: SessionFilter,
	from: ListPosition,
): Promise<ListPage> {
	const fits = fitOf(filter);
	const size = fits === undefined ? ROWS : FILTERED;
	const records: SessionRecord[] = [];
	let { cursor, skip } = from;
	let examined = 0;
	for (let reads = 0; reads < MAX_READS; reads++) {
		const page = await info.scan(cursor, size);
		for (const [index, record] of page.records.entries()) {
			if (index < skip) continue;
			if (records.length === ROWS) return { records, next: { cursor, skip: index }, examined };
			examined++;
			if (isSession(record) && (fits === undefined || fits(record))) records.push(record);
		}
		skip = 0;
		cursor = page.cursor;
		if (cursor === undefined) return { records, examined };
		if (records.length === ROWS) break;
	}
	return { records, next: { cursor, skip }, examined };
}

/** Returns what tells whether a session fits; `undefined` where all do. */
function fitOf({ text, status }: SessionFilter): ((record: SessionRecord) => boolean) | undefined {
	if (text === '' && status === '') return undefined;
	const wanted = text.toLowerCase();
	const isHere = (one: string | undefined) => one?.toLowerCase().includes(wanted) === true;
	return (record) =>
		(status === '' || statusOf(record) === status) &&
		(wanted === '' || isHere(clientOf(record)) || isHere(record.principal) || shortHash(record.id).startsWith(wanted));
}
