import { createHash } from 'node:crypto';
import { BROADCAST_CHANNEL, isAddress, parseStreamId } from '@holdfast/session-manager';

/**
 * Every key and channel that this package uses. The braces are cluster hash tags: all that belongs to a session lives on one
 * slot, so each step that must be atomic is.
 */
export class RedisKeys {
	readonly #prefix: string;

	constructor(prefix: string) {
		this.#prefix = prefix;
	}

	/** Hash: the record of a session. */
	info(sessionId: string): string {
		return `${this.#prefix}{${sessionId}}:info`;
	}

	/** Set: the resources that a session is subscribed to. */
	uris(sessionId: string): string {
		return `${this.#prefix}{${sessionId}}:uris`;
	}

	/** Hash: the state of a session. */
	state(sessionId: string): string {
		return `${this.#prefix}{${sessionId}}:state`;
	}

	/** Stream: the last events of a session's streams. */
	log(sessionId: string): string {
		return `${this.#prefix}{${sessionId}}:log`;
	}

	/** Hash: who holds a session's streams, and up to where its log goes. */
	streams(sessionId: string): string {
		return `${this.#prefix}{${sessionId}}:streams`;
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
		return `${this.#prefix}{uri:${createHash('sha256').update(uri).digest('base64url')}}:subscribers`;
	}

	/** Sorted set: all sessions, by when they expire. */
	get sessions(): string {
		return `${this.#prefix}{sessions}:index`;
	}

	/** The channel of a stream id, an address, or all session streams. */
	channel(id: string): string {
		if (id === BROADCAST_CHANNEL) return `${this.#prefix}{broadcast}:at`;
		if (isAddress(id)) return `${this.#prefix}{node:${id.slice(1)}}:at`;
		const { sessionId, name } = parseStreamId(id);
		return `${this.streamChannels(sessionId)}${name}`;
	}

	/** What the channels of all streams of a session begin with; the stream's name follows. */
	streamChannels(sessionId: string): string {
		return `${this.#prefix}{${sessionId}}:at:`;
	}
}
