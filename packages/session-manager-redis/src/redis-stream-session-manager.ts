import { randomBytes } from 'node:crypto';
import {
	BROADCAST_CHANNEL,
	type BrokerAttached,
	type BrokerEvent,
	type BrokerPosition,
	BrokerStreamSessionManager,
	type BrokerStreamSessionManagerOptions,
	END_OF_STREAM,
	type HistorySlice,
	isAddress,
	parseStreamId,
	SessionManagerError,
} from '@holdfast/session-manager/custom';
import type { RedisSource } from './client.js';
import { RedisConnection, RedisScript } from './connection.js';
import { RedisKeys } from './keys.js';
import {
	appendScript,
	attachScript,
	detachScript,
	forgetScript,
	heardScript,
	readBroadcastsScript,
} from './scripts/streams.js';
import { RedisSubscription } from './subscription.js';

/** Options of {@link RedisStreamSessionManager}. */
export interface RedisStreamSessionManagerOptions extends BrokerStreamSessionManagerOptions {
	/** What every key and channel begins with (default `holdfast:`). */
	readonly keyPrefix?: string;
}

const scripts = {
	append: new RedisScript(appendScript),
	attach: new RedisScript(attachScript),
	readBroadcasts: new RedisScript(readBroadcastsScript),
	detach: new RedisScript(detachScript),
	forget: new RedisScript(forgetScript),
	heard: new RedisScript(heardScript),
};

/** How many keys are refreshed in one go. */
const KEYS_AT_ONCE = 500;
const endMark = `\n${END_OF_STREAM}\n\n`;
/** Request streams draw from no broadcasts. */
const noBroadcasts: HistorySlice = Object.freeze({ epoch: '0', start: 0, events: [], gap: false });

/**
 * Streams of any number of nodes over Redis 7 or later: standalone, Sentinel or Cluster. Events are kept in one Redis stream
 * for each session and fanned out by sharded pub/sub; appending and publishing are one step, in one round trip.
 */
export class RedisStreamSessionManager extends BrokerStreamSessionManager {
	readonly #redis: RedisConnection;
	readonly #keys: RedisKeys;
	readonly #subscription: RedisSubscription;
	/** Stream id or address by channel, for what this node hears. */
	readonly #heard = new Map<string, string>();
	/** Names this manager among those that write, and numbers what it writes, so that no event is taken twice. */
	readonly #writer = randomBytes(9).toString('base64url');
	#written = 0;
	#stopRefresh: (() => void) | undefined;

	constructor(source: RedisSource, options: RedisStreamSessionManagerOptions = {}) {
		super(options);
		this.#redis = new RedisConnection(source, (error) => this.onerror?.(error));
		this.#keys = new RedisKeys(this.#redis.keyPrefix + (options.keyPrefix ?? 'holdfast:'));
		this.#subscription = new RedisSubscription(this.#redis.client, {
			message: (channel, message) => this.#receive(channel, message),
			interrupted: () => this.interrupted(),
			restored: () => this.restored(),
			error: (error) => this.onerror?.(error),
		});
	}

	override async close(): Promise<void> {
		await super.close();
		this.#stopRefresh?.();
		this.#subscription.close();
		this.#redis.close();
	}

	protected override async attach(
		id: string,
		token: string,
		after: Partial<BrokerPosition>,
		keep: boolean,
		since?: number,
	): Promise<BrokerAttached> {
		const { sessionId, name } = parseStreamId(id);
		const keys = [this.#keys.log(sessionId), this.#keys.streams(sessionId)];
		const withBroadcasts = name === '';
		// A cluster has the log of broadcasts on another node. Read first, an event may come twice to two connections of one
		// client that takes over without a last event id; read after, it could be lost.
		const early = withBroadcasts && this.#redis.isCluster ? await this.#readBroadcasts(after) : undefined;
		if (withBroadcasts && !this.#redis.isCluster) keys.push(this.#keys.broadcastLog, this.#keys.broadcastStreams);
		const { maxEvents, maxBytes, maxAgeMs } = this.limits;
		const answer = (await this.#redis.run(scripts.attach, keys, [
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
			since === undefined ? '' : offsetOf(since),
			this.#writer,
		])) as [BrokerAttached['outcome'], string, string, number, string[], unknown[] | null, string, number];
		const [outcome, epoch, start, gap, events, broadcasts, undelivered, first] = answer;
		if (outcome !== 'taken') return { outcome, own: noBroadcasts, broadcasts: noBroadcasts };
		const own = { epoch, start: Number(start), gap: gap === 1, events: readEvents(events) };
		if (!withBroadcasts) return { outcome, own, broadcasts: noBroadcasts };
		if (broadcasts !== null) return { outcome, own, broadcasts: readSlice(broadcasts) };
		const begin = first === 1 && since !== undefined ? `* ${offsetOf(since)}` : undelivered;
		const [undeliveredEpoch, undeliveredOffset] = begin.split(' ');
		if (after.broadcasts !== undefined || undeliveredEpoch === undefined || undeliveredOffset === undefined) {
			return { outcome, own, broadcasts: early ?? noBroadcasts };
		}
		const place = { broadcasts: { epoch: undeliveredEpoch, offset: Number(undeliveredOffset) } };
		return { outcome, own, broadcasts: await this.#readBroadcasts(place) };
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
		await this.#redis.run(scripts.forget, keys, [this.#keys.streamChannels(sessionId), name]);
	}

	protected override async subscribe(id: string): Promise<void> {
		const channel = this.#keys.channel(id);
		this.#heard.set(channel, id);
		this.#redis.connect();
		if (this.#stopRefresh === undefined) this.#refreshLater();
		try {
			await this.#redis.within(channel, () => this.#subscription.subscribe(channel));
		} catch (error) {
			this.#heard.delete(channel);
			void this.#subscription.unsubscribe(channel);
			throw error;
		}
	}

	protected override async unsubscribe(id: string): Promise<void> {
		const channel = this.#keys.channel(id);
		this.#heard.delete(channel);
		if (!this.closed) await this.#subscription.unsubscribe(channel);
	}

	protected override async isHeard(id: string): Promise<boolean> {
		return Number(await this.#redis.run(scripts.heard, [this.#keys.channel(id)], [])) > 0;
	}

	/** Returns the offset; none for a request stream that has ended. */
	async #append(log: string, streams: string, id: string, name: string, data: string): Promise<number | undefined> {
		const { maxEvents, maxBytes, maxAgeMs } = this.limits;
		const channel = this.#keys.channel(id);
		const bounds = [maxEvents, maxBytes, maxAgeMs];
		const args = [channel, name, data, ...bounds, endMark, newEpoch(), this.#writer, ++this.#written];
		const offset = await this.#redis.run(scripts.append, [log, streams], args);
		if (offset === '') return undefined;
		if (offset !== null) return Number(offset);
		throw new SessionManagerError('unavailable', 'The connection was lost: the event may have been taken, or not.');
	}

	/** What is held but quiet must not expire: whoever resumes it would be told of a gap. */
	#refreshLater(): void {
		this.#stopRefresh = this.clock.after(this.limits.maxAgeMs * 2, () => {
			this.#refresh().catch((error: Error) => this.onerror?.(error));
			this.#refreshLater();
		});
	}

	async #refresh(): Promise<void> {
		const ids = [...this.#heard.values()];
		const sessions = ids.filter((id) => !isAddress(id)).map((id) => this.#keys.streams(parseStreamId(id).sessionId));
		const keys = [...new Set(ids.includes(BROADCAST_CHANNEL) ? [...sessions, this.#keys.broadcastStreams] : sessions)];
		for (let index = 0; index < keys.length; index += KEYS_AT_ONCE) {
			const some = keys.slice(index, index + KEYS_AT_ONCE);
			await Promise.all(
				some.map((each) => this.#redis.command(each, (client, key) => client.pexpire(key, this.limits.maxAgeMs * 6))),
			);
		}
	}

	async #readBroadcasts(after: Partial<BrokerPosition>): Promise<HistorySlice> {
		const { maxEvents, maxBytes, maxAgeMs } = this.limits;
		const keys = [this.#keys.broadcastLog, this.#keys.broadcastStreams];
		const { epoch = '', offset = '' } = after.broadcasts ?? {};
		const args = [newEpoch(), epoch, offset, maxEvents, maxBytes, maxAgeMs, endMark];
		return readSlice((await this.#redis.run(scripts.readBroadcasts, keys, args)) as unknown[]);
	}

	#receive(channel: string, message: string): void {
		const id = this.#heard.get(channel);
		if (id === undefined) return;
		const type = message[0];
		if (type === 'x') this.received(id, { type: 'over' });
		else if (type === 't') this.received(id, { type: 'taken', token: message.slice(1) });
		else {
			const line = message.indexOf('\n');
			this.received(id, { type: 'event', offset: Number(message.slice(1, line)), data: message.slice(line + 1) });
		}
	}
}

/** The last offset that an event of a time, in milliseconds since the Unix epoch, can have: as the scripts count. */
function offsetOf(time: number): number {
	return Math.floor(time) * 1000 + 999;
}

function newEpoch(): string {
	return randomBytes(4).toString('hex');
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
