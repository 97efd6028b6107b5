import { randomUUID } from 'node:crypto';
import * as sm from '@holdfast/session-manager/custom';
import type { JetStreamManager } from '@nats-io/jetstream';
import { deadline, type Msg, type NatsConnection, RequestError, type Subscription } from '@nats-io/transport-node';
import { NatsTable, reached, token } from './nats-table.js';

/** The stored part of a stream: the token of its holder, and the undelivered events. */
type Stream = { born?: number; holder?: string; waiting: string[] };
/** A client of a stream, or a listener of an address, on this node. */
type Holder = { id: string; token: string; writer: sm.BoundedWriter; subscriptions: Subscription[] };

/** Streams over NATS, without history. JetStream keeps an event until the newest holder takes it out. */
export class NatsStreamSessionManager extends sm.StreamSessionManager {
	readonly #nats: NatsConnection;
	readonly #streams: NatsTable<Stream>;
	readonly #subject: (id: string) => string;
	readonly #holders = new Set<Holder>();

	constructor(nats: NatsConnection, jsm: JetStreamManager, name: string) {
		super();
		this.#nats = nats;
		this.#streams = new NatsTable(jsm, name);
		this.#subject = (id) => `${name}-told.${token(id)}`;
		void this.#lookAfterOutages();
	}

	async create(id: string, controller: sm.StreamController): Promise<sm.StreamAttachment> {
		const writer = new sm.BoundedWriter(controller, sm.DEFAULT_MAX_BUFFERED_BYTES);
		const holder: Holder = { id, token: randomUUID(), writer, subscriptions: [] };
		const heard = sm.isAddress(id) ? [id] : [id, `${sm.parseStreamId(id).sessionId} `];
		if (sm.isSessionStream(id)) heard.push(sm.BROADCAST_CHANNEL);
		const callback = (_: Error | null, message: Msg) => void this.#receive(holder, message);
		holder.subscriptions = heard.map((each) => this.#nats.subscribe(this.#subject(each), { callback }));
		this.#holders.add(holder);
		try {
			const enter = (stream?: Stream) => ({ waiting: [], ...stream, holder: holder.token });
			if (!sm.isAddress(id)) await this.#streams.change(id, enter);
			await this.#publish(id, '');
		} catch (error) {
			this.#leave(holder);
			throw error;
		}
		return { continuation: 'fresh', detach: () => this.#leave(holder) };
	}

	async delete(id: string): Promise<void> {
		if (!sm.isAddress(id)) await this.#streams.change(id, () => null);
		await this.#publish(sm.isSessionStream(id) ? `${id} ` : id, 'over');
	}

	has(id: string): Promise<boolean> {
		const isThere = this.#nats.request(this.#subject(id)).then(() => true);
		const isNobody = (error: unknown) => error instanceof RequestError && error.isNoResponders();
		return reached(() => isThere.catch((error) => (isNobody(error) ? false : Promise.reject(error))));
	}

	async send(ids: readonly string[] = [sm.BROADCAST_CHANNEL], data: string): Promise<void> {
		const { maxEvents, maxBytes } = sm.DEFAULT_HISTORY_LIMITS;
		const keep = (stream?: Stream) => {
			const waiting = [...(stream?.waiting ?? []), data].slice(-maxEvents);
			while (waiting.length > 1 && Buffer.byteLength(waiting.join('')) > maxBytes) waiting.shift();
			return { ...stream, waiting };
		};
		const send = async (id: string) => {
			if (!sm.isAddress(id)) await this.#streams.change(id, keep);
			await this.#publish(id, sm.isAddress(id) ? data : '');
		};
		await Promise.all([...new Set(ids)].map(send));
	}

	override close(): void {
		for (const holder of this.#holders) this.#leave(holder);
	}

	/** Handles an event, `over`, or an empty message, which means that events may be waiting. */
	async #receive(holder: Holder, message?: Msg): Promise<void> {
		if (message?.reply) return void message.respond();
		const text = message?.string() ?? '';
		let [newest, events] = [holder.token, text === '' ? [] : [text]];
		const take = (stream?: Stream) => {
			[newest = holder.token, events] = [stream?.holder, (this.#holders.has(holder) && stream?.waiting) || []];
			return newest === holder.token && events.length > 0 ? { ...stream, waiting: [] } : undefined;
		};
		if (text === '') await this.#streams.change(holder.id, take).catch((error) => this.onerror?.(error));
		const isOver = text === 'over' || newest !== holder.token;
		if (isOver || !events.every((event) => holder.writer.write(Buffer.from(event)))) this.#leave(holder);
	}

	async #lookAfterOutages(): Promise<void> {
		for await (const { type } of this.#nats.status())
			if (type === 'reconnect') for (const holder of this.#holders) void this.#receive(holder);
	}

	/** Unsubscribes after all pending messages were handled. */
	#leave(holder: Holder): void {
		this.#holders.delete(holder);
		holder.writer.end();
		for (const subscription of holder.subscriptions.splice(0)) subscription.drain().catch(() => {});
	}

	async #publish(id: string, data: string): Promise<void> {
		this.#nats.publish(this.#subject(id), data);
		await reached(() => deadline(this.#nats.flush(), 2_000));
	}
}
