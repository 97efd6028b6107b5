import { Buffer } from 'node:buffer';
import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto';
import type { JsonRpcRequest, SessionHost } from '@holdfast/transport/internal';
import { SharedSecret } from './shared-secret.js';

/** Options for `requestState`, which a client gets with a question and sends back with the answers. */
export interface RequestStateOptions {
	/**
	 * Secrets of at least 32 bytes each, the same on all nodes. The first seals; each of them opens. To change them,
	 * add the new one at the end on every node, then move it to the front, then remove the old one after `ttlMs`.
	 * @default one that the first node makes and keeps in the store, for all nodes: whoever can read the store knows it
	 */
	readonly keys?: readonly (string | Uint8Array)[];
	/**
	 * How long a client may take to come back, in milliseconds.
	 * @default 600_000 (10 minutes)
	 */
	readonly ttlMs?: number;
}

type Context = SessionHost['context'];

interface Key {
	/** Stands in clear in what the key has sealed. */
	readonly id: string;
	readonly secret: Uint8Array;
}

/** What is sealed. */
interface Content {
	/** What the server returned. */
	readonly state: string;
	/** When it expires, in milliseconds since the Unix epoch. */
	readonly expiresAt: number;
}

const CIPHER = 'aes-256-gcm';
const IV_BYTES = 12;
const TAG_BYTES = 16;
const MIN_KEY_BYTES = 32;
/** By how much the clocks of two nodes may differ, in milliseconds. */
const MAX_SKEW_MS = 600_000;
/** How often the store hears that the key which the nodes share is used, in milliseconds. */
const RELOAD_MS = 86_400_000;
/** How often an unknown key makes this node look for another one at most, in milliseconds. */
const RETRY_MS = 1_000;
/** What a client adds to a request when it sends it again. */
const ADDED = new Set(['_meta', 'inputResponses', 'requestState']);

/**
 * Seals the `requestState` of results, and opens it when a client sends it back (2026-07-28, Input Required,
 * `requestState`). It is encrypted, expires, and is bound to the principal, the method and the parameters of the
 * request. Each can be used once, on whichever node: the info manager's leases tell a second use.
 */
export class RequestStates {
	readonly #context: Context;
	/** Where the key comes from that the nodes share; absent where keys are given. */
	readonly #shared: SharedSecret | undefined;
	readonly #ttlMs: number;
	/** Empty until the shared one is known. */
	#keys: readonly Key[];

	constructor(context: Context, { keys, ttlMs = 600_000 }: RequestStateOptions) {
		if (keys !== undefined && !areKeys(keys))
			throw new TypeError(`HttpTransport: stateless.requestState.keys must be ${KEYS_WANTED}.`);
		this.#context = context;
		this.#shared = keys === undefined ? new SharedSecret(context, 'request-state') : undefined;
		this.#keys = keys?.map(derive) ?? [];
		this.#ttlMs = ttlMs;
	}

	/** Whether there is a key. Until then, nothing can be sealed or opened. */
	get isReady(): boolean {
		return this.#keys.length > 0;
	}

	/**
	 * Takes the key that the nodes share from the store. Rejects with `SessionManagerError` when the store is
	 * unavailable.
	 */
	async load(): Promise<void> {
		if (this.#shared === undefined) return;
		const key = derive(await this.#shared.load());
		// What the former one has sealed is still valid.
		if (key.id !== this.#keys[0]?.id) this.#keys = [key, ...this.#keys].slice(0, 2);
	}

	/** Returns `state`, which answers `request` of `principal`, as the client may see it. */
	seal(state: string, request: JsonRpcRequest, principal: string | undefined): string {
		const [key] = this.#keys;
		if (key === undefined) throw new Error('There is no key.');
		if (this.#shared !== undefined && this.#shared.age > RELOAD_MS) this.#context.background(() => this.load());
		const iv = randomBytes(IV_BYTES);
		const cipher = createCipheriv(CIPHER, key.secret, iv).setAAD(bindingOf(key, request, principal));
		const content: Content = { state, expiresAt: this.#context.clock.now() + this.#ttlMs };
		const sealed = Buffer.concat([iv, cipher.update(JSON.stringify(content)), cipher.final(), cipher.getAuthTag()]);
		return `${key.id}.${sealed.toString('base64url')}`;
	}

	/**
	 * Returns what was sealed, for the first that sends it back; `undefined` where it is not valid for `request` of
	 * `principal`, has expired or was used. Rejects with `SessionManagerError` when the store is unavailable.
	 */
	async open(sealed: string, request: JsonRpcRequest, principal: string | undefined): Promise<string | undefined> {
		const [id, encoded = ''] = sealed.split('.', 2);
		const find = () => this.#keys.find((known) => known.id === id);
		// Another node may have another key, because the store had lost this one.
		if (find() === undefined && this.#shared !== undefined && this.#shared.age > RETRY_MS) await this.load();
		const key = find();
		if (key === undefined) return undefined;
		const bytes = Buffer.from(encoded, 'base64url');
		// What decodes to the same bytes in another spelling would count as another state.
		if (bytes.length < IV_BYTES + TAG_BYTES || `${id}.${bytes.toString('base64url')}` !== sealed) return undefined;
		const iv = bytes.subarray(0, IV_BYTES);
		const content = decrypt(key, iv, bytes.subarray(IV_BYTES), bindingOf(key, request, principal));
		if (content === undefined) return undefined;
		const left = content.expiresAt - this.#context.clock.now();
		if (left <= 0) return undefined;
		const use = randomBytes(9).toString('base64url');
		const name = `request-state ${id}.${iv.toString('base64url')}`;
		const isFirst = await this.#context.info.acquireLease(name, use, Math.ceil(left) + MAX_SKEW_MS);
		return isFirst ? content.state : undefined;
	}
}

function decrypt(key: Key, iv: Buffer, rest: Buffer, binding: Buffer): Content | undefined {
	const end = rest.length - TAG_BYTES;
	const decipher = createDecipheriv(CIPHER, key.secret, iv).setAAD(binding).setAuthTag(rest.subarray(end));
	try {
		const json = Buffer.concat([decipher.update(rest.subarray(0, end)), decipher.final()]).toString();
		// Only holders of a key can have written it.
		return JSON.parse(json) as Content;
	} catch {
		return undefined;
	}
}

/** What a sealed state is valid for. */
function bindingOf({ id }: Key, { method, params = {} }: JsonRpcRequest, principal: string | undefined): Buffer {
	const own = Object.fromEntries(Object.entries(params).filter(([name]) => !ADDED.has(name)));
	const binding = JSON.stringify([id, principal ?? null, method, canonical(own)]);
	return createHash('sha256').update(binding).digest();
}

/** Returns `value` so that the order of members does not matter in its JSON. */
function canonical(value: unknown): unknown {
	if (typeof value !== 'object' || value === null) return value;
	if (Array.isArray(value)) return value.map(canonical);
	const names = Object.keys(value).sort();
	return Object.fromEntries(names.map((name) => [name, canonical((value as Record<string, unknown>)[name])]));
}

function derive(key: string | Uint8Array): Key {
	const expand = (purpose: string, bytes: number) =>
		new Uint8Array(hkdfSync('sha256', key, new Uint8Array(), `holdfast requestState ${purpose}`, bytes));
	return { id: Buffer.from(expand('id', 6)).toString('base64url'), secret: expand('key', 32) };
}

/** What {@link areKeys} accepts, in words. */
export const KEYS_WANTED = `a list of secrets of at least ${MIN_KEY_BYTES} bytes each`;

/** Returns whether `keys` can seal and open states. */
export function areKeys(keys: unknown): keys is RequestStateOptions['keys'] {
	return Array.isArray(keys) && keys.length > 0 && keys.every(isLongEnough);
}

function isLongEnough(key: unknown): boolean {
	if (typeof key === 'string') return Buffer.byteLength(key) >= MIN_KEY_BYTES;
	return key instanceof Uint8Array && key.byteLength >= MIN_KEY_BYTES;
}
