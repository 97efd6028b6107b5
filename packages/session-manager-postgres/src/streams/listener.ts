import { createHash, randomBytes } from 'node:crypto';
import { BROADCAST_CHANNEL } from '@holdfast/session-manager/custom';
import type { Client } from 'pg';
import { PostgresConnection } from '../connection/connection.js';
import { DEFAULT_SCHEMA, type PostgresOptions } from '../connection/options.js';
import type { PostgresSource } from '../connection/source.js';
import { quoted } from '../sql/identifier.js';
import { ADDRESS_OVER, type Notice, NoticeReader } from './notification.js';

/** The callbacks of a listener. */
export interface ListenerEvents {
	notice(notice: Notice): void;
	/** A message on an address; without `data`, the address is over. */
	message(address: string, data: string | undefined): void;
	/** Called when messages may be missed from now on. */
	lost(): void;
	/** Called when everything is heard again, and when it is for the first time. */
	ready(): void;
	error(error: Error): void;
}

/**
 * The connection on which a node hears: notices of its streams on a channel of its own, broadcasts on that of all
 * nodes, and messages on addresses. Names of channels contain a secret of the schema or are random, because PostgreSQL
 * lets everybody listen and notify. The connection holds a lock that tells the others that it lives, and one for each
 * address.
 */
export class PostgresListener {
	readonly #connection: PostgresConnection;
	readonly #schema: string;
	readonly #events: ListenerEvents;
	/** The addresses that are listened to, by their channels. */
	readonly #addresses = new Map<string, string>();
	#reader = new NoticeReader();
	#secret: string | undefined;
	#node = '';
	#life = '0';

	constructor(source: PostgresSource, options: PostgresOptions, events: ListenerEvents) {
		this.#schema = quoted(options.schema ?? DEFAULT_SCHEMA);
		this.#events = events;
		this.#connection = new PostgresConnection(source, options, {
			setUp: (client) => this.#setUp(client),
			notification: (channel, payload) => this.#receive(channel, payload),
			lost: () => events.lost(),
			ready: () => events.ready(),
			error: (error) => events.error(error),
		});
	}

	/** Whether everything is heard. */
	get isReady(): boolean {
		return this.#connection.isReady;
	}

	/** Whether channels have names yet; once they have, that stays so. */
	get isKnown(): boolean {
		return this.#secret !== undefined;
	}

	/** The channel of this node, until the connection is lost. */
	get node(): string {
		return this.#node;
	}

	/** The key of the lock that tells that this node lives, until the connection is lost. */
	get life(): string {
		return this.#life;
	}

	/** The channel of the broadcasts. */
	get broadcasts(): string {
		return this.channelOf(BROADCAST_CHANNEL);
	}

	/** Resolves once everything is heard. */
	async ready(): Promise<void> {
		if (!this.isReady) await this.#connection.execute('select');
	}

	/** Listens to an address until {@link unsubscribe}, through any interruption. Resolves once it is heard. */
	async subscribe(address: string): Promise<void> {
		await this.ready();
		const channel = this.channelOf(address);
		this.#addresses.set(channel, address);
		try {
			await this.#connection.execute(listenTo(channel));
		} catch (error) {
			this.unsubscribe(address).catch(() => {});
			throw error;
		}
	}

	async unsubscribe(address: string): Promise<void> {
		const channel = this.channelOf(address);
		this.#addresses.delete(channel);
		if (!this.isReady) return;
		await this.#connection.execute(`unlisten ${quoted(channel)}; select pg_advisory_unlock_shared(${keyOf(channel)})`);
	}

	/** Returns the channel of an address. They must be known ({@link isKnown}). */
	channelOf(address: string): string {
		const hash = createHash('sha256').update(`${this.#secret} ${address}`).digest('hex');
		return `holdfast_${hash.slice(0, 40)}`;
	}

	/** Returns the key of the lock that the listeners of an address share. */
	keyOf(address: string): string {
		return keyOf(this.channelOf(address));
	}

	connect(): void {
		this.#connection.connect();
	}

	close(): void {
		this.#connection.close();
	}

	/** An old connection that the server still holds for alive must not hear, or hold, what is this one's. */
	async #setUp(client: Client): Promise<void> {
		const { rows } = await client.query<{ secret: string }>(`select secret from ${this.#schema}.world`);
		const secret = rows[0]?.secret;
		if (secret === undefined) throw new Error(`The table ${this.#schema}.world is empty: make the schema anew.`);
		this.#secret = secret;
		this.#reader = new NoticeReader();
		const addresses = [...this.#addresses.values()];
		this.#addresses.clear();
		for (const address of addresses) this.#addresses.set(this.channelOf(address), address);
		this.#node = `holdfast_${randomBytes(20).toString('hex')}`;
		this.#life = String(randomBytes(8).readBigInt64BE());
		await client.query(
			[
				`select pg_advisory_lock(${this.#life})`,
				`listen ${quoted(this.#node)}`,
				`listen ${quoted(this.broadcasts)}`,
				...[...this.#addresses.keys()].map(listenTo),
			].join('; '),
		);
	}

	#receive(channel: string, payload: string): void {
		const address = this.#addresses.get(channel);
		if (address === undefined) {
			for (const notice of this.#reader.read(payload)) this.#events.notice(notice);
		} else if (payload === ADDRESS_OVER) this.#events.message(address, undefined);
		else {
			const data = this.#reader.readMessage(payload);
			if (data !== undefined) this.#events.message(address, data);
		}
	}
}

function listenTo(channel: string): string {
	return `listen ${quoted(channel)}; select pg_advisory_lock_shared(${keyOf(channel)})`;
}

/** Returns the key of the lock that belongs to a channel. */
function keyOf(channel: string): string {
	return String(BigInt.asIntN(64, BigInt(`0x${channel.slice(-16)}`)));
}
