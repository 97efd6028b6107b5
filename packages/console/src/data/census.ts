import type { Clock, InfoSessionManager, SessionRecord } from '@holdfast/session-manager';
import { statusOf } from '@holdfast/session-manager/custom';
import { clientInfoOf } from '@holdfast/session-manager/internal';
import { clipped } from '../html/format.js';
import { isSession } from './is-session.js';

/** What there is, counted over the store. */
export interface Count {
	/** When it was counted, in milliseconds since the Unix epoch. */
	readonly at: number;
	/** Whether the store has more than was counted. */
	readonly isPartial: boolean;
	readonly sessions: number;
	readonly suspended: number;
	/** Sessions without a principal. */
	readonly anonymous: number;
	/** How many sessions there are of each client, revision and principal, the most first. */
	readonly clients: readonly Named[];
	readonly revisions: readonly Named[];
	readonly principals: readonly Named[];
}

export type Named = readonly [name: string, count: number];

/** How many records are read at once. */
const PAGE = 500;
/** How many pages are read at most: a larger store is counted in part. */
const MAX_PAGES = 40;
/** How old a count may be, in milliseconds. */
const FRESH_MS = 15_000;
const NAME_LENGTH = 80;

/** Counts the sessions of the store, at most every 15 seconds and only when somebody asks. */
export class Census {
	readonly #info: InfoSessionManager;
	readonly #clock: Clock;
	#count: Count | undefined;
	#counting: Promise<Count> | undefined;
	/** On the monotonic clock. */
	#countedAt = Number.NEGATIVE_INFINITY;

	constructor(info: InfoSessionManager, clock: Clock) {
		this.#info = info;
		this.#clock = clock;
	}

	/** Resolves with a count that is not old. Rejects where the store is unavailable. */
	count(): Promise<Count> {
		if (this.#count !== undefined && this.#clock.monotonic() - this.#countedAt < FRESH_MS)
			return Promise.resolve(this.#count);
		this.#counting ??= this.#read().finally(() => {
			this.#counting = undefined;
		});
		return this.#counting;
	}

	/** Forgets the count: something was changed. */
	forget(): void {
		this.#count = undefined;
	}

	async #read(): Promise<Count> {
		const tally = { clients: new Map(), revisions: new Map(), principals: new Map() } as const;
		let [sessions, suspended, anonymous, pages] = [0, 0, 0, 0];
		let cursor: string | undefined;
		do {
			const page = await this.#info.scan(cursor, PAGE);
			for (const record of page.records) {
				if (!isSession(record)) continue;
				sessions++;
				if (statusOf(record) === 'suspended') suspended++;
				add(tally.clients, clientOf(record));
				add(tally.revisions, record.protocolVersion);
				if (record.principal === undefined) anonymous++;
				else add(tally.principals, record.principal);
			}
			cursor = page.cursor;
		} while (cursor !== undefined && ++pages < MAX_PAGES);
		this.#countedAt = this.#clock.monotonic();
		this.#count = {
			at: this.#clock.now(),
			isPartial: cursor !== undefined,
			sessions,
			suspended,
			anonymous,
			clients: sorted(tally.clients),
			revisions: sorted(tally.revisions),
			principals: sorted(tally.principals),
		};
		return this.#count;
	}
}

/** Returns the name and the version of a client, as it gave them. */
export function clientOf(record: SessionRecord): string {
	const { name, version } = clientInfoOf(record);
	return clipped(`${String(name)} ${String(version)}`, NAME_LENGTH);
}

function add(tally: Map<string, number>, name: string): void {
	tally.set(name, (tally.get(name) ?? 0) + 1);
}

function sorted(tally: ReadonlyMap<string, number>): Named[] {
	return [...tally].sort(([name, one], [otherName, other]) => other - one || (name < otherName ? -1 : 1));
}
