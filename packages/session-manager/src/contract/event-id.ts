/**
 * An event id names a stream of a session and a position in it: `position` for the session stream, `position/name` for
 * a request stream. Event ids are unique within the session, as Streamable HTTP requires (2025-11-25, Resumability and
 * Redelivery). They do not name the session: an event id is only looked up in the session that the request was admitted
 * to.
 */
export interface EventId {
	/**
	 * The position in the stream, opaque to everyone but the manager that wrote it. Letters, digits, `-`, `.` and `_`.
	 */
	readonly position: string;
	/** The name of the stream within its session; empty for the session stream. */
	readonly name: string;
}

/** The length of the longest event id, in characters. */
export const MAX_EVENT_ID_LENGTH = 512;

const pattern = /^([A-Za-z0-9._-]{1,128})(?:\/([\x21-\x2e\x30-\x7e]{1,383}))?$/;

/** Writes an event id. */
export function formatEventId(position: string, name: string): string {
	return name === '' ? position : `${position}/${name}`;
}

/** Parses an event id as a client sent it. Returns `undefined` for anything else. */
export function parseEventId(text: string): EventId | undefined {
	if (text.length > MAX_EVENT_ID_LENGTH) return undefined;
	const match = pattern.exec(text);
	if (match?.[1] === undefined) return undefined;
	return { position: match[1], name: match[2] ?? '' };
}

/**
 * Returns a position that means the same place as `position` but is spelled differently, because event ids are unique
 * within a session.
 */
export function markPosition(position: string, mark: string): string {
	return `${position}_${mark}`;
}

/** The mark of the event that ends a request stream. No other mark is spelled so. */
const END_MARK = '-end';

/** Returns the position of an event that ends its request stream. */
export function markEnd(position: string): string {
	return markPosition(position, END_MARK);
}

/** Returns the id of an event that ends the request stream of event `id`, right after that. */
export function endEventId({ position, name }: EventId): string {
	return formatEventId(markEnd(unmarkPosition(position)), name);
}

/**
 * Returns whether event id `text` is that of the event that ended request stream `name`: whoever comes back after it is
 * told so, whatever is still known of the stream.
 */
export function isAfterEnd(text: string | undefined, name: string): boolean {
	const id = text === undefined || name === '' ? undefined : parseEventId(text);
	return id?.name === name && id.position.endsWith(`_${END_MARK}`);
}

/** Returns the position without its mark, if it has one. */
export function unmarkPosition(position: string): string {
	const mark = position.indexOf('_');
	return mark === -1 ? position : position.slice(0, mark);
}
