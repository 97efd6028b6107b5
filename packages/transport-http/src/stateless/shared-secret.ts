import { randomBytes } from 'node:crypto';
import { decodeStateValue, encodeStateValue } from '@holdfast/session-manager/internal';
import type { SessionHost } from '@holdfast/transport/internal';

type Context = SessionHost['context'];

const STATE_KEY = 'secret';
const SECRET_BYTES = 32;
/** Whose the secret is, so that records of strangers take it no room. Principals of clients contain a space. */
const OWNER = 'holdfast';
/** How long the store keeps a secret that no node uses, in milliseconds. */
const IDLE_TTL_MS = 30 * 86_400_000;

/** A secret that all nodes of a store share: the one that came first makes it. */
export class SharedSecret {
	readonly #context: Context;
	readonly #id: string;
	#secret: string | undefined;
	#loading: Promise<string> | undefined;
	#loadedAt = Number.NEGATIVE_INFINITY;

	/** `name` says what the secret is for. */
	constructor(context: Context, name: string) {
		this.#context = context;
		// A session id that a client sends can contain no space.
		this.#id = `secret ${name}`;
	}

	/** How long ago it was loaded, in milliseconds. */
	get age(): number {
		return this.#context.clock.monotonic() - this.#loadedAt;
	}

	/**
	 * Returns the secret, and counts as its use. A store that has lost it gets it again, unless another node was faster
	 * with a new one, which replaces it. Rejects with `SessionManagerError` when the store is unavailable.
	 */
	load(): Promise<string> {
		this.#loading ??= this.#shared(this.#secret).finally(() => {
			this.#loading = undefined;
		});
		return this.#loading;
	}

	async #shared(known: string | undefined): Promise<string> {
		const { info, clock } = this.#context;
		if (!(await info.touch(this.#id, clock.now()))) await this.#create();
		await info.writeState(this.#id, STATE_KEY, undefined, encodeStateValue(known ?? newSecret()));
		const stored = await info.readState(this.#id, STATE_KEY);
		const secret = stored && decodeStateValue(stored.value);
		if (typeof secret !== 'string') throw new Error('The store does not keep the secret that its nodes share.');
		this.#loadedAt = clock.monotonic();
		this.#secret = secret;
		return secret;
	}

	async #create(): Promise<void> {
		const { info, clock } = this.#context;
		const now = clock.now();
		// Where another node is first, this does nothing.
		await info.create({
			id: this.#id,
			kind: 'secret',
			principal: OWNER,
			protocolVersion: '2026-07-28',
			initializeParams: { clientInfo: { name: 'secret', version: '1' }, capabilities: {} },
			serverCapabilities: {},
			createdAt: now,
			lastUsedAt: now,
			idleTtlMs: IDLE_TTL_MS,
		});
	}
}

function newSecret(): string {
	return randomBytes(SECRET_BYTES).toString('base64url');
}
