import { endsStream } from '@holdfast/session-manager/custom';
import { partsOf } from './stream-parts.js';

/** An event below this many bytes fits into one notification, with the longest name of a stream. */
const MAX_LONE_BYTES = 3_000;

/** An event for each of `ids`. */
export interface Appended {
	readonly ids: readonly string[];
	readonly data: string;
	/** The length of `data` in bytes. */
	readonly bytes: number;
}

interface Session {
	readonly id: string;
	/** Its events, and their bytes. */
	count: number;
	bytes: number;
	/** Its number, from 1. */
	number: number;
}

interface Stream {
	readonly session: Session;
	readonly name: string;
	/** Which events of the session are its first and its last, and which ends it; 0: none. */
	first: number;
	last: number;
	ends: number;
	/** Its number, from 1. */
	number: number;
}

/** One event for one stream. */
interface Item {
	readonly stream: Stream;
	/** Which event of the session it is, from 1. */
	readonly number: number;
	/** Where its data begins, from 1. */
	readonly start: number;
	readonly event: Appended;
}

/** Events that one statement appends. */
export class AppendBatch {
	readonly #events: readonly Appended[];
	/** What is appended, in order, and of each event an item or `undefined` for each of its ids. */
	readonly #items: Item[] = [];
	readonly #byEvent: (readonly (Item | undefined)[])[];
	readonly #sessions: readonly Session[];
	readonly #streams: readonly Stream[];

	constructor(events: readonly Appended[]) {
		this.#events = events;
		const sessions = new Map<string, Session>();
		const streams = new Map<string, Stream>();
		let start = 1;
		this.#byEvent = events.map((event) => {
			const isLast = endsStream(event.data);
			const items = event.ids.map((id) => {
				const stream = streams.get(id) ?? makeStream(id, sessions);
				streams.set(id, stream);
				if (stream.ends > 0) return undefined;
				const { session } = stream;
				const number = ++session.count;
				session.bytes += event.bytes;
				if (stream.first === 0) stream.first = number;
				stream.last = number;
				if (isLast && stream.name !== '') stream.ends = number;
				const item = { stream, number, start, event };
				this.#items.push(item);
				return item;
			});
			start += event.bytes;
			return items;
		});
		// Every node locks sessions in the same order.
		this.#sessions = [...sessions.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
		const named = [...streams.values()].filter(({ name }) => name !== '');
		for (const [index, session] of this.#sessions.entries()) session.number = index + 1;
		const own = this.#sessions.map((session) => streams.get(session.id) ?? emptyStream(session));
		this.#streams = [...own, ...named];
		for (const [index, stream] of this.#streams.entries()) stream.number = index + 1;
	}

	/** The parameters of `append_event` that describe the event, where it is a single one that this function takes. */
	loneValues(): unknown[] | undefined {
		const [item, second] = this.#items;
		if (item === undefined || second !== undefined || this.#events.length > 1) return undefined;
		const { stream, event } = item;
		if (event.bytes >= MAX_LONE_BYTES || event.data.includes('\0')) return undefined;
		return [stream.session.id, stream.name, stream.ends > 0, Buffer.from(event.data), event.data.length];
	}

	/** The parameters of `append` that describe the events. */
	values(): unknown[] {
		const named = this.#streams.slice(this.#sessions.length);
		const items = this.#items;
		return [
			this.#sessions.map(({ id }) => id).join('\n'),
			arrayOf(this.#sessions, ({ count }) => count),
			arrayOf(this.#sessions, ({ bytes }) => bytes),
			named.map(({ name }) => name).join('\n'),
			named.length === 0 ? null : arrayOf(named, ({ session }) => session.number),
			arrayOf(this.#streams, ({ first }) => first),
			arrayOf(this.#streams, ({ last }) => last),
			arrayOf(this.#streams, ({ ends }) => ends),
			arrayOf(items, ({ stream }) => stream.number),
			arrayOf(items, ({ number }) => number),
			arrayOf(items, ({ start }) => start),
			arrayOf(items, ({ event }) => event.bytes),
			arrayOf(items, ({ event }) => event.data.length),
			arrayOf(items, ({ event }) => !event.data.includes('\0')),
			Buffer.from(this.#events.map(({ data }) => data).join('')),
		];
	}

	/** Returns the offsets of each event, given what the function returned. */
	offsets(result: string): (number | undefined)[][] {
		const [before = '', over = ''] = result.split(';');
		const offsets = before.split(',').map(Number);
		const ended = new Set(over.split(',').map(Number));
		return this.#byEvent.map((items) =>
			items.map((item) => {
				if (item === undefined || ended.has(item.stream.number)) return undefined;
				return (offsets[item.stream.session.number - 1] ?? 0) + item.number;
			}),
		);
	}
}

function makeStream(id: string, sessions: Map<string, Session>): Stream {
	const [sessionId, name] = partsOf(id);
	const session = sessions.get(sessionId) ?? { id: sessionId, count: 0, bytes: 0, number: 0 };
	sessions.set(sessionId, session);
	return { session, name, first: 0, last: 0, ends: 0, number: 0 };
}

/** The session stream of a session of which only others get events. */
function emptyStream(session: Session): Stream {
	return { session, name: '', first: 0, last: 0, ends: 0, number: 0 };
}

/** Writes an array as PostgreSQL reads it. */
function arrayOf<T>(all: readonly T[], pick: (each: T) => number | boolean): string {
	return `{${all.map(pick).join(',')}}`;
}
