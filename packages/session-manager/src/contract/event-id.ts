/**
 * Event ids name a stream of a session and a position in it: `position` for the session stream, `position/name` for the stream
 * of a request. They are unique within the session, as Streamable HTTP demands (2025-11-25, Resumability and Redelivery). They
 * say nothing about the session itself: one is only ever looked up in the session that the request was admitted to.
 */
export interface EventId {
	/** Where in the stream; only the manager that made it understands it. Letters, digits, `-`, `.` and `_`. */
	readonly position: string;
	/** The stream's name within its session; empty for the session stream. */
	readonly name: string;
}

/** No event id that a manager makes is longer, in characters. */
export const MAX_EVENT_ID_LENGTH = 512;

const pattern = /^([A-Za-z0-9._-]{1,128})(?:\/([\x21-\x2e\x30-\x7e]{1,383}))?$/;

/** Writes an event id. */
export function formatEventId(position: string, name: string): string {
	return name === '' ? position : `${position}/${name}`;
}

/** Reads an event id as a client sent it; `undefined` when it is none. */
export function parseEventId(text: string): EventId | undefined {
	if (text.length > MAX_EVENT_ID_LENGTH) return undefined;
	const match = pattern.exec(text);
	if (match?.[1] === undefined) return undefined;
	return { position: match[1], name: match[2] ?? '' };
}

/** A position that means the same place as `position` and is written differently: event ids must be unique in the session. */
export function markPosition(position: string, mark: string): string {
	return `${position}_${mark}`;
}

/** The place that a position means, marked or not. */
export function unmarkPosition(position: string): string {
	const mark = position.indexOf('_');
	return mark === -1 ? position : position.slice(0, mark);
}
