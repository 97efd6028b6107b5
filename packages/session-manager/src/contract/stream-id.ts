/**
 * The id of a stream. The part before the first space is a session id, which never contains a space itself (session ids
 * are visible ASCII, 0x21–0x7E). Therefore a request stream or an address can never be mistaken for a session, nor be
 * spelled by a client.
 *
 * | id              | names                                    | newest wins | history | reached by `send(undefined)` |
 * |-----------------|------------------------------------------|-------------|---------|------------------------------|
 * | `session`       | the session stream (GET)                 | yes         | yes     | yes                          |
 * | `session name`  | the stream of one request (POST)         | yes         | yes     | no                           |
 * | ` name`         | an address; all its listeners get events | no          | no      | no                           |
 *
 * Ids are compared exactly. Session and name have up to 1,024 characters each: no look-alike, pattern or quoted form of
 * an id names the same stream.
 */
export interface StreamName {
	/** The session that owns the stream; empty for an address. */
	readonly sessionId: string;
	/** The name within the session; empty for the session stream. */
	readonly name: string;
}

/** Returns the id of the stream of one request. `name` is visible ASCII without `/`. */
export function requestStreamId(sessionId: string, name: string): string {
	return `${sessionId} ${name}`;
}

/** Returns the address on which one node listens. */
export function nodeAddress(nodeId: string): string {
	return ` ${nodeId}`;
}

/** The address on which every node listens. */
export const EVERY_NODE = ' *';

/** Returns whether `id` is an address: shared by all its listeners, without history. */
export function isAddress(id: string): boolean {
	return id.charCodeAt(0) === 0x20;
}

/** Returns whether `id` is a session stream, the only kind that `send(undefined, …)` reaches. */
export function isSessionStream(id: string): boolean {
	return !id.includes(' ');
}

/** Parses a stream id. */
export function parseStreamId(id: string): StreamName {
	const space = id.indexOf(' ');
	return space === -1 ? { sessionId: id, name: '' } : { sessionId: id.slice(0, space), name: id.slice(space + 1) };
}
