import { setImmediate } from 'node:timers/promises';
import { type MaybePromise, whenReady } from '@holdfast/session-manager/custom';
import { bound, type Row, textOf } from './file/connection.js';
import { subscriptionStatements } from './statements/info.js';
import type { SqliteStore } from './store.js';

/** How many subscribers are read at once. */
const PAGE = 1_000;

interface Page {
	readonly ids: string[];
	/** The last one of the page; `undefined` where there are no more. */
	readonly last: Row | undefined;
}

/** Returns the living sessions that are subscribed to a resource: at once, unless they are very many. */
export function subscribersOf(store: SqliteStore, uri: string): MaybePromise<string[]> {
	return whenReady(pageOf(store, uri, 0), (page) => (page.last === undefined ? page.ids : withMore(store, uri, page)));
}

/** Others get their turn between two pages. */
async function withMore(store: SqliteStore, uri: string, first: Page): Promise<string[]> {
	const pages = [first.ids];
	for (let { last } = first; last !== undefined; ) {
		await setImmediate();
		const page = await pageOf(store, uri, Number(last['session']));
		pages.push(page.ids);
		last = page.last;
	}
	return pages.flat();
}

function pageOf(store: SqliteStore, uri: string, after: number): MaybePromise<Page> {
	return store.read((db, now) => {
		const rows = db.all(subscriptionStatements.subscribers, bound(uri), after, PAGE);
		const living = rows.filter(({ ends }) => ends !== null && Number(ends) > now);
		return { ids: living.map(({ id }) => textOf(id)), last: rows.length < PAGE ? undefined : rows.at(-1) };
	});
}
