import { randomUUID } from 'node:crypto';
import * as sm from '@holdfast/session-manager';
import { deadline, type Msg, type NatsConnection, RequestError, type Subscription } from '@nats-io/transport-node';
import { failure, NatsTable, TIMEOUT_MS, token } from './nats-table.js';

/** A stream: who holds it, and the events that nobody was handed yet. */
interface Stream {
	readonly holder?: string | undefined;
	readonly waiting: readonly string[];
}

/** A client of a stream, or a listener of an address, on this node. */
interface Holder {
	readonly id: string;
	readonly token: string;
	readonly held: sm.HeldStream;
	subscriptions: Subscription[];
}

/** Said to who holds a stream: it was deleted. No event is spelled like this. */
const OVER = 'over';
const encoder = new TextEncoder();

/**
 * Streams of any number of nodes over NATS, without history. Events wait in one value together with the name of the holder, who is told
 * that there is news and takes them out. So all is in one order: each event is handed to one client, who holds the stream is who wrote
 * its name there last, and what nobody took waits for the next, for the retention. Subjects:
 *
 * - `NAME.STREAM`: heard by who holds the stream (an empty message is news), and by the listeners of an address
 * - `NAME.SESSION.over`: heard by all streams of a session
 * - `NAME.all`: heard by every node, for what goes to every session stream. It reaches those that are held, and does not wait
 */
export class NatsStreamSessionManager extends sm.StreamSessionManager {
	readonly #nats: NatsConnection;
	readonly #name: string;
	readonly #streams: NatsTable<Stream>;
	readonly #holders = new Set<Holder>();
	#all: Subscription | undefined;

	/** The connection stays the caller's, and should reconnect for ever. */
	constructor(nats: NatsConnection, name: string) {
		super();
		this.#nats = nats;
		this.#name = name;
		this.#streams = new NatsTable(nats, `${name}-streams`, sm.DEFAULT_HISTORY_LIMITS.maxAgeMs);
		void this.#lookAfterOutages();
	}

	async create(id: string, controller: sm.StreamController): Promise<sm.StreamAttachment> {
		const held = new sm.HeldStream(controller, sm.DEFAULT_MAX_BUFFERED_BYTES);
		const holder: Holder = { id, token: randomUUID(), held, subscriptions: [] };
		const leave = () => this.#leave(holder);
		this.#holders.add(holder);
		this.#all ??= this.#nats.subscribe(`${this.#name}.all`, { callback: (_, { data }) => this.#pushToAll(data) });
		const subjects = sm.isAddress(id) ? [this.#subject(id)] : [this.#subject(id), this.#overSubject(id)];
		const callback = (_: Error | null, message: Msg) => this.#hear(holder, message);
		holder.subscriptions = subjects.map((subject) => this.#nats.subscribe(subject, { callback }));
		try {
			await this.#flush();
			if (!sm.isAddress(id)) {
				await this.#streams.change(id, (slot) => {
					slot.value = { waiting: slot.value?.waiting ?? [], holder: holder.token };
				});
				// The one before, wherever it is, finds that it is no longer the holder.
				await this.#tell(this.#subject(id), '');
				await this.#take(holder);
			}
		} catch (error) {
			leave();
			throw error;
		}
		return { continuation: 'fresh', detach: leave };
	}

	async delete(id: string): Promise<void> {
		if (!sm.isAddress(id)) await this.#streams.change(id, (slot) => delete slot.value);
		await this.#tell(sm.isSessionStream(id) ? this.#overSubject(id) : this.#subject(id), OVER);
	}

	async has(id: string): Promise<boolean> {
		try {
			await this.#nats.request(this.#subject(id), '', { timeout: TIMEOUT_MS });
			return true;
		} catch (error) {
			// NATS knows at once that nobody is there.
			if (error instanceof RequestError && error.isNoResponders()) return false;
			throw failure(error);
		}
	}

	async send(ids: readonly string[] | undefined, data: string): Promise<void> {
		if (ids === undefined) return this.#tell(`${this.#name}.all`, data);
		const send = async (id: string) => {
			if (sm.isAddress(id)) return this.#tell(this.#subject(id), data);
			await this.#keep(id, (waiting) => [...waiting, data]);
		};
		await Promise.all([...new Set(ids)].map(send));
	}

	override async close(): Promise<void> {
		this.#all?.unsubscribe();
		for (const holder of this.#holders) this.#end(holder);
	}

	/** Changes what waits, and tells the holder. */
	async #keep(id: string, change: (waiting: readonly string[]) => string[]): Promise<void> {
		const { maxEvents, maxBytes } = sm.DEFAULT_HISTORY_LIMITS;
		await this.#streams.change(id, (slot) => {
			const waiting = change(slot.value?.waiting ?? []).slice(-maxEvents);
			while (waiting.length > 1 && Buffer.byteLength(waiting.join('')) > maxBytes) waiting.shift();
			slot.value = { waiting, holder: slot.value?.holder };
		});
		await this.#tell(this.#subject(id), '');
	}

	/** Takes out what waits and hands it over; ends where the stream is another's. */
	async #take(holder: Holder): Promise<void> {
		const events = await this.#streams.change(holder.id, (slot) => {
			const { holder: newest = holder.token, waiting = [] } = slot.value ?? {};
			if (newest !== holder.token) return undefined;
			slot.value = { waiting: [], holder: newest };
			return waiting;
		});
		if (events === undefined) return this.#end(holder);
		const refused = events.findIndex((event) => !this.#push(holder, encoder.encode(event)));
		if (refused !== -1) await this.#keep(holder.id, (waiting) => [...events.slice(refused), ...waiting]);
	}

	#look(holder: Holder): void {
		this.#take(holder).catch((error) => this.onerror?.(error));
	}

	/** What was told during an outage was not heard. */
	async #lookAfterOutages(): Promise<void> {
		for await (const { type } of this.#nats.status()) {
			if (type !== 'reconnect') continue;
			for (const holder of this.#holders) if (!sm.isAddress(holder.id)) this.#look(holder);
		}
	}

	#hear(holder: Holder, message: Msg): void {
		if (message.reply) message.respond();
		else if (!this.#holders.has(holder)) return;
		else if (message.string() === OVER) this.#end(holder);
		else if (sm.isAddress(holder.id)) this.#push(holder, message.data);
		else this.#look(holder);
	}

	#push(holder: Holder, chunk: Uint8Array): boolean {
		const isThere = holder.held.push(chunk);
		if (!isThere) this.#leave(holder);
		return isThere;
	}

	#pushToAll(chunk: Uint8Array): void {
		for (const holder of this.#holders) if (sm.isSessionStream(holder.id)) this.#push(holder, chunk);
	}

	#end(holder: Holder): void {
		holder.held.end();
		this.#leave(holder);
	}

	#leave(holder: Holder): void {
		if (!this.#holders.delete(holder)) return;
		holder.held.release();
		// What was asked before gets its answer.
		for (const subscription of holder.subscriptions) subscription.drain().catch(() => {});
	}

	async #tell(subject: string, data: string): Promise<void> {
		this.#nats.publish(subject, data);
		await this.#flush();
	}

	async #flush(): Promise<void> {
		await deadline(this.#nats.flush(), TIMEOUT_MS).catch((error) => Promise.reject(failure(error)));
	}

	#subject(id: string): string {
		return `${this.#name}.${token(id)}`;
	}

	#overSubject(id: string): string {
		return `${this.#subject(sm.parseStreamId(id).sessionId)}.${OVER}`;
	}
}
