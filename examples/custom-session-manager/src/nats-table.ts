import { createHash } from 'node:crypto';
import { isExpired, SessionManagerError, type SessionRecord } from '@holdfast/session-manager/custom';
import { JetStreamApiError, type JetStreamManager } from '@nats-io/jetstream';
import { InvalidArgumentError } from '@nats-io/transport-node';

/** The value that was stored last, under the revision `seq`. */
type Last<T> = { seq: number; value: T | null; isChanged: boolean };

/** Values by id, each the last message on a subject. A newer entry has a higher `born`; an expired record is gone. */
export class NatsTable<T extends { born?: number; record?: SessionRecord }> {
	readonly #jsm: JetStreamManager;
	readonly #name: string;
	readonly #turns = new Map<string, Promise<Last<T>>>();

	constructor(jsm: JetStreamManager, name: string) {
		this.#jsm = jsm;
		this.#name = name;
	}

	read = (id: string) => reached(async () => thereOf(await this.#last(`${this.#name}.${token(id)}`)));

	all(): Promise<T[]> {
		return reached(async () => {
			const { state } = await this.#jsm.streams.info(this.#name, { subjects_filter: '>' });
			const all = await Promise.all(Object.keys(state.subjects ?? {}).map((subject) => this.#last(subject)));
			return all.map(thereOf).filter((value) => value !== undefined);
		});
	}

	/** Atomically stores what `change` returns; `null` removes the value. Returns `false` for `undefined`. */
	async change(id: string, change: (value: T | undefined) => T | null | undefined): Promise<boolean> {
		const known = this.#turns.get(id)?.catch((error) => (error.code === 'limit' ? undefined : Promise.reject(error)));
		const turn = reached(async () => this.#write(`${this.#name}.${token(id)}`, change, await known));
		this.#turns.set(id, turn);
		return (await turn.finally(() => this.#turns.get(id) === turn && this.#turns.delete(id))).isChanged;
	}

	async #write(subject: string, change: (value?: T) => T | null | undefined, known?: Last<T>): Promise<Last<T>> {
		const last = known ?? (await this.#last(subject)); // What is known may be old: only a write over it counts.
		const value = change(thereOf(last));
		if (value === undefined) return known ? this.#write(subject, change) : { ...last, isChanged: false };
		const over = { expect: { lastSubjectSequence: last.seq } };
		const written = this.#jsm.jetstream().publish(subject, JSON.stringify(value), over);
		const isLate = (error: unknown) => error instanceof JetStreamApiError && error.code === 10071;
		const orAgain = (error: Error) => (isLate(error) ? this.#write(subject, change) : Promise.reject(error));
		return written.then(({ seq }) => ({ seq, value, isChanged: true }), orAgain);
	}

	async #last(subject: string): Promise<Last<T>> {
		const message = await this.#jsm.streams.getMessage(this.#name, { last_by_subj: subject });
		return { seq: message?.seq ?? 0, value: message?.json<T | null>() ?? null, isChanged: false };
	}
}

function thereOf<T extends { record?: SessionRecord }>({ seq, value }: Last<T>): T | undefined {
	const isGone = value === null || (value.record !== undefined && isExpired(value.record, Date.now()));
	return isGone ? undefined : { born: seq, ...value };
}

/** Returns the response of NATS, or throws the error that the contracts name. */
export function reached<A>(work: () => Promise<A>): Promise<A> {
	return work().catch((cause) => {
		if (cause instanceof SessionManagerError) throw cause;
		const code = cause instanceof InvalidArgumentError ? 'limit' : 'unavailable'; // The limit is max_payload.
		throw new SessionManagerError(code, `NATS did not do what was asked: ${cause}`, { cause });
	});
}

/** Returns a part of a subject that stands for any `text`. */
export const token = (text: string) => createHash('sha256').update(text).digest('base64url');
