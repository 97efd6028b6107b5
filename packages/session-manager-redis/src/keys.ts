import { createHash } from 'node:crypto';
import { BROADCAST_CHANNEL, isAddress, parseStreamId } from '@holdfast/session-manager/custom';

/**
 * Every key and channel that this package uses. The braces are cluster hash tags: all that belongs to a session lives on one
 * slot, so each step that must be atomic is. Within them a letter and a colon come first: no session id, however it is spelled,
 * can name what belongs to another, and a tag is never empty.
 */
export class RedisKeys {
	readonly #prefix: string;

	constructor(prefix: string) {
		this.#prefix = prefix;
	}

	/** Hash: the record of a session. */
	info(sessionId: string): string {
		return `${this.#session(sessionId)}:info`;
	}

	/** Set: the resources that a session is subscribed to. */
	uris(sessionId: string): string {
		return `${this.#session(sessionId)}:uris`;
	}

	/** Hash: the state of a session. */
	state(sessionId: string): string {
		return `${this.#session(sessionId)}:state`;
	}

	/** Stream: the last events of a session's streams. */
	log(sessionId: string): string {
		return `${this.#session(sessionId)}:log`;
	}

	/** Hash: who holds a session's streams, and up to where its log goes. */
	streams(sessionId: string): string {
		return `${this.#session(sessionId)}:streams`;
	}

	/** Stream: the last broadcasts. */
	get broadcastLog(): string {
		return `${this.#prefix}{broadcast}:log`;
	}

	/** Hash: up to where the log of broadcasts goes. */
	get broadcastStreams(): string {
		return `${this.#prefix}{broadcast}:streams`;
	}

	/** Sorted set: the sessions that are subscribed to a resource, by when they expire. */
	subscribers(uri: string): string {
		return `${this.#prefix}{u:${digest(uri)}}:subscribers`;
	}

	/** Sorted set: the living sessions of a principal, by when they expire. */
	living(principal: string): string {
		return `${this.#owner(principal)}:living`;
	}

	/** Sorted set: the sessions of a principal, ended ones that are kept included, by when nothing is left of them. */
	kept(principal: string): string {
		return `${this.#owner(principal)}:kept`;
	}

	/** Sorted set: all sessions, by when they expire. */
	get sessionsByExpiry(): string {
		return `${this.#prefix}{sessions}:expiry`;
	}

	/** Sorted set: all sessions, in the order of their ids. */
	get sessionsById(): string {
		return `${this.#prefix}{sessions}:ids`;
	}

	/** The channel of a stream id, an address, or all session streams. */
	channel(id: string): string {
		if (id === BROADCAST_CHANNEL) return `${this.#prefix}{broadcast}:at`;
		if (isAddress(id)) return `${this.#prefix}{n:${id.slice(1)}}:at`;
		const { sessionId, name } = parseStreamId(id);
		return this.streamChannels(sessionId) + name;
	}

	/** What the channels of all streams of a session begin with, up to the first space; the stream's name follows. */
	streamChannels(sessionId: string): string {
		return `${this.#session(sessionId)}:at `;
	}

	#owner(principal: string): string {
		return `${this.#prefix}{p:${digest(principal)}}`;
	}

	#session(id: string): string {
		return `${this.#prefix}{s:${id}}`;
	}
}

/** A name of fixed length for what clients spell as they like. */
function digest(text: string): string {
	return createHash('sha256').update(text).digest('base64url');
}
