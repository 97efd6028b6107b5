import { createHash } from 'node:crypto';
import { SessionManagerError } from '@holdfast/session-manager';
import { JetStreamApiError, jetstream } from '@nats-io/jetstream';
import { type KV, type KvEntry, Kvm } from '@nats-io/kv';
import { InvalidArgumentError, type NatsConnection } from '@nats-io/transport-node';

/** Where a value is, or is not. */
export interface Slot<T> {
	value?: T | undefined;
}

type Change<T> = (slot: Slot<T>) => unknown;

/** How long NATS and other nodes may take to answer, in milliseconds. */
export const TIMEOUT_MS = 2_000;
const WRONG_LAST_SEQUENCE = 10071;

/**
 * Values by id in a NATS key-value bucket, as JSON. A change writes a value over the revision that it was made on, or is made again on
 * the newest: each is one step, whatever other nodes do. Changes of a value that wait for each other on this node are written together.
 */
export class NatsTable<T> {
	readonly #create: () => Promise<KV>;
	#bucket: Promise<KV> | undefined;
	/** By id, the changes that are to be written next, and the writing that comes last. */
	readonly #next = new Map<string, { readonly changes: Change<T>[]; readonly written: Promise<unknown[]> }>();
	readonly #last = new Map<string, Promise<unknown>>();

	/** A value that nobody changed for `ttlMs` is forgotten. */
	constructor(nats: NatsConnection, bucket: string, ttlMs: number) {
		// A direct answer may come from a replica that has not heard of the newest.
		const options = { ttl: ttlMs, allow_direct: false };
		this.#create = () => new Kvm(jetstream(nats, { timeout: TIMEOUT_MS })).create(bucket, options);
	}

	async read(id: string): Promise<T | undefined> {
		return storedIn<T>(await this.#use((bucket) => bucket.get(token(id))));
	}

	/** Lets `change`, which must not throw, put another value into the slot, or none; answers what it answers. */
	async change<A>(id: string, change: (slot: Slot<T>) => A): Promise<A> {
		let next = this.#next.get(id);
		if (next === undefined) {
			const changes: Change<T>[] = [];
			const written = (this.#last.get(id) ?? Promise.resolve()).then(() => {
				this.#next.delete(id);
				return this.#use((bucket) => write(bucket, token(id), changes));
			});
			const last = written.catch(() => {}).finally(() => this.#last.get(id) === last && this.#last.delete(id));
			this.#last.set(id, last);
			next = { changes, written };
			this.#next.set(id, next);
		}
		const index = next.changes.push(change) - 1;
		return (await next.written)[index] as A;
	}

	/** What `pick` finds in any of the values: it looks at all. */
	find<A>(pick: (value: T) => A | undefined): Promise<A[]> {
		return this.#use(async (bucket) => {
			const found = new Map<string, A | undefined>();
			// What is changed on the way comes again.
			for await (const entry of await bucket.history()) {
				const value = storedIn<T>(entry);
				found.set(entry.key, value && pick(value));
			}
			return [...found.values()].filter((picked) => picked !== undefined);
		});
	}

	#use<A>(work: (bucket: KV) => Promise<A>): Promise<A> {
		this.#bucket ??= this.#create();
		return this.#bucket.then(work).catch((error) => {
			// The next looks whether the bucket is still there.
			this.#bucket = undefined;
			throw failure(error);
		});
	}
}

/** A part of a subject or key that stands for `text`, which may be of any characters and any length. */
export function token(text: string): string {
	return createHash('sha256').update(text).digest('base64url');
}

/** What went wrong, as the contracts name it. */
export function failure(cause: unknown): SessionManagerError {
	const isTooLarge = cause instanceof InvalidArgumentError && cause.message.includes('max_payload');
	if (isTooLarge) return new SessionManagerError('limit', "More than the NATS server's max_payload.", { cause });
	return new SessionManagerError('unavailable', 'NATS did not do what was asked; try again later.', { cause });
}

async function write<T>(bucket: KV, key: string, changes: readonly Change<T>[]): Promise<unknown[]> {
	for (;;) {
		const entry = await bucket.get(key);
		const slot: Slot<T> = { value: storedIn(entry) };
		const answers = changes.map((change) => change(slot));
		const text: string | undefined = JSON.stringify(slot.value);
		const over = { previousSeq: entry?.revision ?? 0 };
		try {
			if (text === undefined && entry?.operation === 'PUT') await bucket.delete(key, over);
			else if (text !== undefined && text !== entry?.string()) await bucket.put(key, text, over);
			return answers;
		} catch (error) {
			if (!(error instanceof JetStreamApiError) || error.code !== WRONG_LAST_SEQUENCE) throw error;
		}
	}
}

function storedIn<T>(entry: KvEntry | null): T | undefined {
	return entry?.operation === 'PUT' ? entry.json<T>() : undefined;
}
