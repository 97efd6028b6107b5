/**
 * Ids of streams. What comes before the first space is a session id, which itself never contains a space (session ids are
 * visible ASCII, 0x21–0x7E). So a request stream and an address can never be taken for a session, nor be spelled by a client.
 *
 * | id               | names                                   | newest wins | history | reached by `send(undefined)` |
 * |------------------|-----------------------------------------|-------------|---------|------------------------------|
 * | `session`        | the session stream (GET)                | yes         | yes     | yes                          |
 * | `session name`   | the stream of one request (POST)        | yes         | yes     | no                           |
 * | ` name`          | an address; every listener hears it     | no          | no      | no                           |
 *
 * An id is exactly its characters, up to 1,024 of session and name each: no look-alike, pattern or quotation of it names the
 * same stream.
 */
export interface StreamName {
	/** The session that owns the stream; empty for an address. */
	readonly sessionId: string;
	/** Empty for the session stream. */
	readonly name: string;
}

/** The id of the stream of one request of a session. `name` is visible ASCII without `/`. */
export function requestStreamId(sessionId: string, name: string): string {
	return `${sessionId} ${name}`;
}

/** The address on which one node listens. */
export function nodeAddress(nodeId: string): string {
	return ` ${nodeId}`;
}

/** The address on which every node listens. */
export const EVERY_NODE = ' *';

/** Whether `id` is an address: shared by all that create it, without history. */
export function isAddress(id: string): boolean {
	return id.charCodeAt(0) === 0x20;
}

/** Whether `id` is a session stream, the only kind that `send(undefined, …)` reaches. */
export function isSessionStream(id: string): boolean {
	return !id.includes(' ');
}

/** Takes a stream id apart. */
export function parseStreamId(id: string): StreamName {
	const space = id.indexOf(' ');
	return space === -1 ? { sessionId: id, name: '' } : { sessionId: id.slice(0, space), name: id.slice(space + 1) };
}
