import { createHash } from 'node:crypto';
import { BROADCAST_CHANNEL, encodableText, isAddress, parseStreamId } from '@holdfast/session-manager/custom';

/**
 * Every key and channel of this package. The braces are cluster hash tags: everything of a session hashes to one slot,
 * so operations on it can be atomic. A tag begins with a letter and a colon: no session id, however it is spelled, can
 * name data of another session, and a tag is never empty.
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

	/** Hash: the resources that a session is subscribed to, by their digests. */
	subscriptions(sessionId: string): string {
		return `${this.#session(sessionId)}:subscriptions`;
	}

	/** Hash: the state of a session. */
	state(sessionId: string): string {
		return `${this.#session(sessionId)}:state`;
	}

	/** Stream: the newest events of a session's streams. */
	log(sessionId: string): string {
		return `${this.#session(sessionId)}:log`;
	}

	/** Hash: the holders of a session's streams, and the positions in its log. */
	streams(sessionId: string): string {
		return `${this.#session(sessionId)}:streams`;
	}

	/** Stream: the newest broadcasts. */
	get broadcastLog(): string {
		return `${this.#prefix}{broadcast}:log`;
	}

	/** Hash: the positions in the log of broadcasts. */
	get broadcastStreams(): string {
		return `${this.#prefix}{broadcast}:streams`;
	}

	/** Sorted set: the sessions that are subscribed to the resource of a digest, by expiry. */
	subscribers(resource: string): string {
		return `${this.#prefix}{u:${resource}}:subscribers`;
	}

	/** Sorted set: the living sessions of a principal, or its records of a kind, by expiry. */
	living(principal: string, kind?: string): string {
		return `${this.#owner(principal, kind)}:living`;
	}

	/** Sorted set: the same by last use. */
	unused(principal: string, kind?: string): string {
		return `${this.#owner(principal, kind)}:unused`;
	}

	/** Sorted set: the same, and ended ones that are still kept, by the time of their removal. */
	kept(principal: string, kind?: string): string {
		return `${this.#owner(principal, kind)}:kept`;
	}

	/** Sorted set: all sessions, by id. */
	get sessionsById(): string {
		return `${this.#prefix}{sessions}:ids`;
	}

	/**
	 * The index of all sessions, or of all records that are none. Sorted sets: by expiry, by id, and by who gives way
	 * first, where with an owner after it is a sorted set of the owner's. Hash: whom each counts for. Sorted set: how
	 * many each owner has.
	 */
	index(kind?: string): string[] {
		const tag = kind === undefined ? 'sessions' : 'records';
		return ['expiry', 'ids', 'use', 'owners', 'sizes'].map((name) => `${this.#prefix}{${tag}}:${name}`);
	}

	/** Sorted set: all sessions, or all records that are none, by who gives way first. */
	unusedOfAll(kind?: string): string {
		return this.index(kind)[2] ?? '';
	}

	/** No key: what permissions are tried on. */
	get permissions(): string {
		return `${this.#prefix}{permissions}:at`;
	}

	/** String: the holder of a lease. */
	lease(name: string): string {
		return `${this.#prefix}{l:${digest(name)}}:lease`;
	}

	/** Sorted set: the nodes that are announced, by expiry. */
	get nodesByExpiry(): string {
		return `${this.#prefix}{nodes}:expiry`;
	}

	/** Hash: what each node announced. */
	get nodes(): string {
		return `${this.#prefix}{nodes}:records`;
	}

	/** Returns the channel of a stream, an address, or the broadcasts. */
	channel(id: string): string {
		if (id === BROADCAST_CHANNEL) return `${this.#prefix}{broadcast}:at`;
		if (isAddress(id)) return `${this.#prefix}{n:${id.slice(1)}}:at`;
		const { sessionId, name } = parseStreamId(id);
		// Joined, it is one text; added up, each of its pieces would be kept as long as it is.
		return [this.streamChannels(sessionId), name].join('');
	}

	/**
	 * Returns the common prefix of the channels of a session's streams, up to the first space; the name of a stream
	 * follows.
	 */
	streamChannels(sessionId: string): string {
		return `${this.#session(sessionId)}:at `;
	}

	#owner(principal: string, kind?: string): string {
		const tag = `${this.#prefix}{p:${digest(principal)}}`;
		return kind === undefined ? tag : `${tag}:${kind}`;
	}

	#session(id: string): string {
		return `${this.#prefix}{s:${id}}`;
	}
}

/**
 * Returns whom a session counts for in a full store. Of two that have as many, the one that sorts last gives way first.
 */
export function ownerOf(principal: string | undefined, remoteAddress: string | undefined): string {
	return principal === undefined || remoteAddress !== undefined
		? `unverified:${digest(remoteAddress ?? '')}`
		: `principal:${digest(principal)}`;
}

/** Returns a name of fixed length for text that clients choose. */
export function digest(text: string): string {
	return createHash('sha256').update(encodableText(text)).digest('base64url');
}
