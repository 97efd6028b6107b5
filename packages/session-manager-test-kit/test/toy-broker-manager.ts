import { setImmediate } from 'node:timers/promises';
import {
	BROADCAST_CHANNEL,
	type BrokerAttached,
	type BrokerMessage,
	type BrokerPosition,
	type BrokerStart,
	BrokerStreamSessionManager,
	type BrokerStreamSessionManagerOptions,
	endsStream,
	type HistorySlice,
	parseStreamId,
	SessionManagerError,
	type StreamPosition,
} from '@holdfast/session-manager/custom';
import { type ToyBroker, ToyLog, type ToyStream } from './toy-broker.ts';

const none: HistorySlice = { epoch: '0', start: 0, events: [], gap: false };
const nothing = { order: 0, own: none, broadcasts: none };

/** A manager over a {@link ToyBroker}: the hooks, and nothing that a broker does not have. */
export class ToyBrokerManager extends BrokerStreamSessionManager {
	readonly #broker: ToyBroker;
	readonly #heard = new Set<string>();
	/** Whether the broker cannot be reached. */
	away = false;
	#cut = false;
	readonly #hear = (channel: string, message: BrokerMessage) => {
		if (this.#heard.has(channel) && !this.#cut) this.received(channel, message);
	};

	constructor(broker: ToyBroker, options?: BrokerStreamSessionManagerOptions) {
		super(options);
		this.#broker = broker;
	}

	/** What is published is missed until {@link reconnect}. */
	disconnect(): void {
		this.#cut = true;
		this.interrupted();
	}

	reconnect(): void {
		this.#cut = false;
		this.restored();
	}

	protected async attach(
		id: string,
		token: string,
		wanted: BrokerStart,
		keep: boolean,
		since?: StreamPosition,
	): Promise<BrokerAttached> {
		await setImmediate();
		this.#reach();
		const { sessionId, name } = parseStreamId(id);
		const log = this.#logOf(sessionId);
		const isKnown = log.streams.has(name);
		if (name !== '' && wanted.own !== undefined && wanted.of === undefined && !isKnown)
			return { outcome: keep ? 'ended' : 'unknown', ...nothing };
		const stream = log.stream(name, 0);
		if (keep && stream.holder !== token)
			return { outcome: stream.holder === undefined ? 'ended' : 'superseded', ...nothing };
		const { holder, undelivered } = stream;
		const isFollowed = wanted.of !== undefined && holder !== wanted.of && (holder ?? undelivered) !== undefined;
		const after = isFollowed ? {} : wanted;
		const own = this.#slice(log, name, after.own, undelivered);
		if (stream.over && own.start >= stream.newest) return { outcome: 'ended', ...nothing };
		const begin = name === '' && !log.seen && since !== undefined ? since.offset : stream.undeliveredBroadcasts;
		const broadcasts =
			name === '' && !keep ? this.#slice(this.#broker.broadcasts, '', after.broadcasts, begin) : nothing.own;
		const isLost = after.own === undefined ? this.#mayBeLost(name, stream) : wanted.of !== undefined && !isKnown;
		const gap = own.gap || isLost;
		const order = ++this.#broker.takeovers;
		if (holder !== undefined && holder !== token) this.#broker.publish(id, { type: 'taken', order });
		log.seen ||= name === '';
		const given = { since: own.start, broadcastsSince: broadcasts.start, unsure: gap || broadcasts.gap };
		const kept = { unsure: stream.unsure === true || gap };
		Object.assign(stream, { holder: token, undelivered: undefined, undeliveredBroadcasts: undefined });
		Object.assign(stream, keep ? kept : given);
		return { outcome: 'taken', order, own: { ...own, gap }, broadcasts };
	}

	protected async readBroadcasts(after: StreamPosition): Promise<HistorySlice> {
		await setImmediate();
		this.#reach();
		return this.#slice(this.#broker.broadcasts, '', after, undefined);
	}

	protected async detach(id: string, token: string, { own, broadcasts }: BrokerPosition): Promise<void> {
		const { sessionId, name } = parseStreamId(id);
		const log = this.#broker.sessions.get(sessionId);
		const stream = log?.streams.get(name);
		if (stream?.holder !== token) return;
		delete stream.holder;
		stream.unsure = own.epoch !== log?.epoch;
		stream.undelivered = Math.min(own.offset, stream.undelivered ?? own.offset);
		stream.undeliveredBroadcasts = broadcasts.offset;
	}

	protected async append(ids: readonly string[], data: string): Promise<(number | undefined)[]> {
		this.#reach();
		const offsets = ids.map((id) => {
			const { sessionId, name } = parseStreamId(id);
			const log = this.#logOf(sessionId);
			if (log.streams.get(name)?.over) return undefined;
			const stream = this.#keep(log, name, id, data);
			stream.over ||= name !== '' && endsStream(data);
			return stream.newest;
		});
		await setImmediate();
		return offsets;
	}

	protected async appendBroadcast(data: string): Promise<void> {
		this.#reach();
		this.#keep(this.#broker.broadcasts, '', BROADCAST_CHANNEL, data);
		await setImmediate();
	}

	protected lastBroadcast(): StreamPosition {
		this.#reach();
		return { epoch: this.#broker.broadcasts.epoch, offset: this.#broker.offset };
	}

	protected publish(addresses: readonly string[], data: string): void {
		this.#reach();
		for (const address of addresses) this.#broker.publish(address, { type: 'event', offset: 0, data });
	}

	protected forget(id: string): void {
		this.#reach();
		const { sessionId, name } = parseStreamId(id);
		const log = this.#broker.sessions.get(sessionId);
		const names = name === '' ? [...(log?.streams.keys() ?? [])] : [name];
		for (const each of names) {
			log?.streams.delete(each);
			this.#broker.publish(each === '' ? sessionId : `${sessionId} ${each}`, { type: 'over' });
		}
		if (log !== undefined) log.events = log.events.filter((event) => !names.includes(event.name));
		if (name === '') this.#broker.sessions.delete(sessionId);
	}

	protected async subscribe(channel: string): Promise<void> {
		await setImmediate();
		this.#reach();
		this.#heard.add(channel);
		const hearing = this.#broker.hearing.get(channel) ?? new Set();
		this.#broker.hearing.set(channel, hearing.add(this.#hear));
	}

	protected unsubscribe(channel: string): void {
		this.#heard.delete(channel);
		this.#broker.hearing.get(channel)?.delete(this.#hear);
	}

	protected isHeard(channel: string): boolean {
		this.#reach();
		return (this.#broker.hearing.get(channel)?.size ?? 0) > 0;
	}

	#reach(): void {
		if (this.away) throw new SessionManagerError('unavailable', 'The broker is away.');
	}

	#logOf(sessionId: string): ToyLog {
		const log = this.#broker.sessions.get(sessionId) ?? new ToyLog();
		this.#broker.sessions.set(sessionId, log);
		return log;
	}

	#keep(log: ToyLog, name: string, channel: string, data: string): ToyStream {
		const stream = log.stream(name, 0);
		const before = this.#broker.offset++;
		stream.newest = this.#broker.offset;
		log.events.push({ offset: stream.newest, name, data, at: Date.now() });
		log.trim(this.limits);
		const heard = this.#broker.publish(channel, { type: 'event', offset: stream.newest, data });
		if (heard === 0 || stream.holder === undefined) stream.undelivered ??= before;
		return stream;
	}

	/** Whether nobody knows what reached the client of a holder that did not detach, or of one that did. */
	#mayBeLost(name: string, { holder, undelivered, newest, ...stream }: ToyStream): boolean {
		if (stream.unsure === true || holder === undefined) return stream.unsure === true;
		const newestToAll = this.#broker.broadcasts.streams.get('')?.newest ?? 0;
		const isLostToAll = name === '' && newestToAll > (stream.broadcastsSince ?? 0);
		return isLostToAll || (undelivered ?? newest) > (stream.since ?? 0);
	}

	#slice(log: ToyLog, name: string, after: StreamPosition | undefined, undelivered: number | undefined): HistorySlice {
		log.trim(this.limits);
		const start = after?.offset ?? undelivered ?? this.#broker.offset;
		const floor = log.streams.get(name)?.floor ?? 0;
		const gap = (after !== undefined && after.epoch !== log.epoch) || start < floor || start > this.#broker.offset;
		return { epoch: log.epoch, start: Math.min(start, this.#broker.offset), events: log.after(start, name), gap };
	}
}
