import { randomBytes, randomUUID } from 'node:crypto';
import {
	BROADCAST_CHANNEL,
	type BrokerAttached,
	type BrokerEvent,
	type BrokerPosition,
	type BrokerStart,
	BrokerStreamSessionManager,
	type BrokerStreamSessionManagerOptions,
	END_OF_STREAM,
	type HistorySlice,
	isAddress,
	parseStreamId,
	SessionManagerError,
	type StreamPosition,
} from '@holdfast/session-manager/custom';
import { checkOptions, lazy, type OptionSchemas } from '@holdfast/session-manager/internal';
import { RedisConnection, RedisScript } from './connection.js';
import { RedisKeys } from './keys.js';
import { redisOptions } from './options.js';
import {
	appendScript,
	attachScript,
	detachScript,
	expireScript,
	forgetScript,
	heardScript,
	MIN_KNOWN_MS,
	readBroadcastsScript,
	refreshScript,
} from './scripts/streams.js';
import type { RedisSource } from './source.js';
import { RedisSubscription } from './subscription.js';
import { withoutCommand } from './without-command.js';

/** Options of {@link RedisStreamSessionManager}. */
export interface RedisStreamSessionManagerOptions extends BrokerStreamSessionManagerOptions {
	/**
	 * The prefix of every key and channel.
	 *
	 * @default `holdfast:`
	 */
	readonly keyPrefix?: string;
}

const scripts = {
	append: new RedisScript(appendScript),
	attach: new RedisScript(attachScript),
	readBroadcasts: new RedisScript(readBroadcastsScript),
	detach: new RedisScript(detachScript),
	refresh: new RedisScript(refreshScript),
	expire: new RedisScript(expireScript),
	forget: new RedisScript(forgetScript),
	heard: new RedisScript(heardScript),
};

/** How many keys are refreshed concurrently. */
const KEYS_AT_ONCE = 500;
const endMark = `\n${END_OF_STREAM}\n\n`;
/** A request stream reads no broadcasts. */
const noBroadcasts: HistorySlice = Object.freeze({ epoch: '0', start: 0, events: [], gap: false });

/**
 * Delivers streams across any number of nodes through Redis 7 or later: standalone, Sentinel or Cluster. Each session's
 * events are kept in one Redis stream and published by sharded pub/sub; one round trip appends and publishes
 * atomically. The connections open on first use.
 *
 * @example
 * ```ts source="../test/examples/redis-stream-session-manager.examples.ts#options"
 * const redis = new Cluster([{ host: 'redis-1', port: 6379 }]);
 * const streams = new RedisStreamSessionManager(redis, { keyPrefix: 'shop:', history: { maxAgeMs: 60_000 } });
 * streams.onerror = report;
 * ```
 */
export class RedisStreamSessionManager extends BrokerStreamSessionManager {
	readonly #redis: RedisConnection;
	readonly #keys: RedisKeys;
	/** Where streams and broadcasts are heard. */
	readonly #streams: RedisSubscription;
	/** Where addresses are heard: a backlog of streams does not cut this node off from the others. */
	readonly #addresses: RedisSubscription;
	/** Identifies this manager among the writers. With the number of each event it makes a repeated append idempotent. */
	readonly #writer = lazy(() => randomBytes(9).toString('base64url'));
	#written = 0;
	/** By log: the number of the newest append that has no result yet. */
	readonly #unanswered = new Map<string, number>();
	#stopRefresh: (() => void) | undefined;

	/** A client given as `source` remains the caller's and is never closed. */
	constructor(source: RedisSource, options: RedisStreamSessionManagerOptions = {}) {
		super(options);
		checkOptions(
			'RedisStreamSessionManager',
			redisOptions satisfies OptionSchemas<RedisStreamSessionManagerOptions>,
			options,
		);
		this.#redis = new RedisConnection('RedisStreamSessionManager', source, (error) => this.onerror?.(error));
		this.#keys = new RedisKeys(this.#redis.keyPrefix + (options.keyPrefix ?? 'holdfast:'));
		this.#redis.requirePermissions(this.#keys.permissions);
		this.#streams = this.#subscription();
		this.#addresses = this.#subscription();
	}

	override async close(): Promise<void> {
		await super.close();
		this.#stopRefresh?.();
		this.#streams.close();
		this.#addresses.close();
		this.#redis.close();
	}

	override async expireIn(id: string, ms: number): Promise<void> {
		await this.#redis.run(scripts.expire, [this.#keys.log(id), this.#keys.streams(id)], [ms, this.limits.maxAgeMs]);
	}

	protected override async attach(
		id: string,
		token: string,
		after: BrokerStart,
		keep: boolean,
		since?: StreamPosition,
	): Promise<BrokerAttached> {
		const { sessionId, name } = parseStreamId(id);
		const keys = [this.#keys.log(sessionId), this.#keys.streams(sessionId)];
		const withBroadcasts = name === '' && !keep;
		// A cluster keeps the broadcasts on another server. Reading them first may deliver an event twice, to two
		// connections of one client that takes over without a last event id; reading them last could lose one.
		const early = withBroadcasts && this.#redis.isCluster ? await this.#readBroadcasts(after.broadcasts) : undefined;
		if (withBroadcasts && !this.#redis.isCluster) keys.push(this.#keys.broadcastLog, this.#keys.broadcastStreams);
		const { maxEvents, maxBytes, maxAgeMs } = this.limits;
		const reply = (await this.#redis.run(scripts.attach, keys, [
			this.#keys.channel(id),
			name,
			token,
			keep ? '1' : '',
			after.own?.epoch ?? '',
			after.own?.offset ?? '',
			newEpoch(),
			maxEvents,
			maxBytes,
			maxAgeMs,
			endMark,
			after.broadcasts?.epoch ?? '',
			after.broadcasts?.offset ?? '',
			since === undefined ? '' : placeOf(since),
			this.#writer(),
			after.of ?? '',
			early === undefined ? '' : placeOf(endOf(early)),
		])) as [BrokerAttached['outcome'], string, string, number, string[], string, unknown[] | null, string, number];
		const [outcome, epoch, start, gap, events, taken, broadcasts, begin, isUnsure] = reply;
		const order = Number(taken);
		if (outcome !== 'taken') return { outcome, order, own: noBroadcasts, broadcasts: noBroadcasts };
		const own = { epoch, start: Number(start), gap: gap === 1, events: readEvents(events) };
		if (early === undefined)
			return { outcome, order, own, broadcasts: broadcasts ? readSlice(broadcasts) : noBroadcasts };
		const none = { epoch: early.epoch, start: endOf(early).offset, events: [], gap: isUnsure === 1 };
		if (begin === '') return { outcome, order, own, broadcasts: none };
		const isRead = after.broadcasts !== undefined && begin === placeOf(after.broadcasts);
		return { outcome, order, own, broadcasts: isRead ? early : await this.#readBroadcasts(positionOf(begin)) };
	}

	protected override readBroadcasts(after: StreamPosition): Promise<HistorySlice> {
		return this.#readBroadcasts(after);
	}

	protected override async detach(id: string, token: string, { own, broadcasts }: BrokerPosition): Promise<void> {
		const { sessionId, name } = parseStreamId(id);
		await this.#redis.run(
			scripts.detach,
			[this.#keys.streams(sessionId)],
			[name, token, own.epoch, own.offset, broadcasts.epoch, broadcasts.offset],
		);
	}

	protected override append(ids: readonly string[], data: string): Promise<(number | undefined)[]> {
		// All are written before the first answer is awaited: the round trips do not grow with the ids.
		return Promise.all(
			ids.map((id) => {
				const { sessionId, name } = parseStreamId(id);
				return this.#append(this.#keys.log(sessionId), this.#keys.streams(sessionId), id, name, data);
			}),
		);
	}

	protected override async appendBroadcast(data: string): Promise<void> {
		await this.#append(this.#keys.broadcastLog, this.#keys.broadcastStreams, BROADCAST_CHANNEL, '', data);
	}

	protected override async lastBroadcast(): Promise<StreamPosition> {
		const { epoch, start } = await this.#readBroadcasts();
		return { epoch, offset: start };
	}

	protected override async publish(addresses: readonly string[], data: string): Promise<void> {
		await Promise.all(
			addresses.map((address) =>
				this.#redis.command(this.#keys.channel(address), (client, key) => client.spublish(key, `e0\n${data}`)),
			),
		);
	}

	protected override async forget(id: string): Promise<void> {
		if (isAddress(id)) {
			await this.#redis.command(this.#keys.channel(id), (client, key) => client.spublish(key, 'x'));
			return;
		}
		const { sessionId, name } = parseStreamId(id);
		const keys = [this.#keys.log(sessionId), this.#keys.streams(sessionId)];
		let cursor: unknown = '0';
		do {
			cursor = await this.#redis.run(scripts.forget, keys, [
				this.#keys.streamChannels(sessionId),
				name,
				String(cursor),
			]);
		} while (cursor !== '0');
	}

	protected override async subscribe(id: string): Promise<void> {
		const channel = this.#keys.channel(id);
		this.#redis.connect();
		if (this.#stopRefresh === undefined) this.#refreshLater();
		try {
			await this.#redis.within(channel, () => this.#subscriptionOf(id).subscribe(channel, id));
		} catch (error) {
			void this.#subscriptionOf(id).unsubscribe(channel);
			throw error;
		}
	}

	protected override async unsubscribe(id: string): Promise<void> {
		if (!this.closed) await this.#subscriptionOf(id).unsubscribe(this.#keys.channel(id));
	}

	protected override async isHeard(id: string): Promise<boolean> {
		return Number(await this.#redis.run(scripts.heard, [this.#keys.channel(id)], [])) > 0;
	}

	#subscription(): RedisSubscription {
		return new RedisSubscription(this.#redis.client, {
			message: (id, message) => this.#receive(id, message),
			interrupted: (ids) => this.interrupted(ids),
			restored: (ids) => this.restored(ids),
			error: (error) => this.onerror?.(withoutCommand(error)),
		});
	}

	#subscriptionOf(id: string): RedisSubscription {
		return isAddress(id) && id !== BROADCAST_CHANNEL ? this.#addresses : this.#streams;
	}

	/** Returns the offset; none for a request stream that has ended. */
	async #append(log: string, streams: string, id: string, name: string, data: string): Promise<number | undefined> {
		const { maxEvents, maxBytes, maxAgeMs } = this.limits;
		const channel = this.#keys.channel(id);
		const number = ++this.#written;
		const offset = await this.#redis
			.run(scripts.append, [log, streams], () => {
				const before = this.#unanswered.get(log) ?? number;
				this.#unanswered.set(log, number);
				const limits = [maxEvents, maxBytes, maxAgeMs];
				const order = [this.#writer(), number, before < number ? before : ''];
				return [channel, name, data, ...limits, endMark, newEpoch(), ...order];
			})
			.finally(() => {
				if (this.#unanswered.get(log) === number) this.#unanswered.delete(log);
			});
		if (offset === '') return undefined;
		if (offset !== null) return Number(offset);
		throw new SessionManagerError('unavailable', 'The connection was lost: the event may have been taken, or not.');
	}

	/** Keeps the keys of quiet but open streams from expiring: a client that resumes one would get a gap. */
	#refreshLater(): void {
		this.#stopRefresh = this.clock.after(2 * Math.max(this.limits.maxAgeMs, MIN_KNOWN_MS), () => {
			this.#refresh().catch((error: Error) => this.onerror?.(error));
			this.#refreshLater();
		});
	}

	async #refresh(): Promise<void> {
		const ids = this.subscribedChannels;
		const sessions = ids.filter((id) => !isAddress(id)).map((id) => this.#keys.streams(parseStreamId(id).sessionId));
		const keys = [...new Set(ids.includes(BROADCAST_CHANNEL) ? [...sessions, this.#keys.broadcastStreams] : sessions)];
		for (let index = 0; index < keys.length; index += KEYS_AT_ONCE) {
			const some = keys.slice(index, index + KEYS_AT_ONCE);
			await Promise.all(some.map((each) => this.#redis.run(scripts.refresh, [each], [this.limits.maxAgeMs])));
		}
	}

	async #readBroadcasts(after?: StreamPosition): Promise<HistorySlice> {
		const { maxEvents, maxBytes, maxAgeMs } = this.limits;
		const keys = [this.#keys.broadcastLog, this.#keys.broadcastStreams];
		const { epoch = '', offset = '' } = after ?? {};
		const args = [newEpoch(), epoch, offset, maxEvents, maxBytes, maxAgeMs, endMark];
		return readSlice((await this.#redis.run(scripts.readBroadcasts, keys, args)) as unknown[]);
	}

	#receive(id: string, message: string): void {
		const type = message[0];
		if (type === 'x') this.received(id, { type: 'over' });
		else if (type === 't') this.received(id, { type: 'taken', order: Number(message.slice(1)) });
		else {
			const line = message.indexOf('\n');
			this.received(id, { type: 'event', offset: Number(message.slice(1, line)), data: message.slice(line + 1) });
		}
	}
}

/** Writes a position as the scripts do. */
function placeOf({ epoch, offset }: StreamPosition): string {
	return `${epoch} ${offset}`;
}

/** Reads what {@link placeOf} wrote. */
function positionOf(place: string): StreamPosition {
	const [epoch = '', offset] = place.split(' ');
	return { epoch, offset: Number(offset) };
}

/** Returns the position after a slice. */
function endOf({ epoch, start, events }: HistorySlice): StreamPosition {
	return { epoch, offset: events.at(-1)?.offset ?? start };
}

/** It is needed only where there is none, which only the store knows. UUIDs have their random bytes at hand. */
function newEpoch(): string {
	return randomUUID().slice(0, 8);
}

function readEvents(flat: readonly string[]): BrokerEvent[] {
	const events: BrokerEvent[] = [];
	for (let index = 0; index + 1 < flat.length; index += 2) {
		events.push({ offset: Number(flat[index]), data: flat[index + 1] ?? '' });
	}
	return events;
}

function readSlice([epoch, start, gap, events]: readonly unknown[]): HistorySlice {
	return { epoch: String(epoch), start: Number(start), gap: gap === 1, events: readEvents(events as string[]) };
}
