import { SessionManagerError, type SessionRecord, SessionState } from '@holdfast/session-manager';
import { expiryOf } from '@holdfast/session-manager/custom';
import { OwnedRecords, randomId, type SessionHost } from '@holdfast/transport/internal';
import { authInfoOf, type CallContext, callerOf } from '../call-context.js';
import type { CallState, Handle, HandleOptions } from './handle.js';

/** What the ids of handles look like. */
const HANDLE_ID = /^[\w-]{32}$/;
/** For how many handles this node keeps what is pending of their state. */
const MAX_STATES = 1_000;
/** The store hears of use at most once in this part of the time that an unused handle lives. */
const TOUCHES_PER_LIFE = 10;

/**
 * State for clients without a session: a tool makes a handle and returns its id, and the client passes the id with
 * later calls, to any node. A handle belongs to whoever it was made for, and is exported and erased with the other data
 * of that principal.
 *
 * @example
 * ```ts source="test/examples/handles.examples.ts#create"
 * server.registerTool('new-cart', { description: 'Begins a shopping cart' }, async (context) => {
 * 	const { id, state } = await transport.handles.create(context);
 * 	await state.set('items', []);
 * 	return { content: [{ type: 'text', text: `The cart is ${id}. Pass it with every call about it.` }] };
 * });
 * ```
 */
export class Handles {
	readonly #host: SessionHost;
	readonly #records: OwnedRecords;
	readonly #options: Required<HandleOptions>;
	/** States in use on this node, the one that was used last at the end, so that their updates take turns. */
	readonly #states = new Map<string, SessionState>();

	/** Only transports make one. */
	constructor(host: SessionHost, options: HandleOptions = {}) {
		this.#host = host;
		this.#records = new OwnedRecords(host.context, 'handle');
		this.#options = {
			idleTtlMs: options.idleTtlMs ?? 86_400_000,
			absoluteTtlMs: options.absoluteTtlMs ?? 30 * 86_400_000,
			anonymousTtlMs: options.anonymousTtlMs ?? 3_600_000,
			maxPerPrincipal: options.maxPerPrincipal ?? 100,
		};
	}

	/**
	 * Makes a handle for the caller; `context` is the last parameter of the tool's handler. Throws `SessionManagerError`
	 * `principal-limit` where the caller has too many.
	 */
	async create(context: CallContext): Promise<Handle> {
		const { idleTtlMs, absoluteTtlMs, anonymousTtlMs, maxPerPrincipal } = this.#options;
		const caller = callerOf(authInfoOf(context));
		const id = randomId();
		const lifeMs = caller === undefined ? anonymousTtlMs : absoluteTtlMs;
		const endsAt = this.#host.context.clock.now() + lifeMs;
		const record = await this.#records.create(id, caller, { idleTtlMs, endsAt }, maxPerPrincipal);
		return this.#handleOf(id, record);
	}

	/**
	 * Opens a handle of the caller, and counts as its use. Throws `SessionManagerError` `no-such-session` where there is
	 * none, it has expired or was erased, or it is another's.
	 */
	async open(context: CallContext, id: string): Promise<Handle> {
		const record = await this.#find(context, id);
		if (record === undefined) throw unknown();
		return this.#handleOf(id, this.#used(record));
	}

	/** Returns the ids of the caller's handles, in no particular order; none for a caller without a token. */
	async list(context: CallContext): Promise<string[]> {
		const caller = callerOf(authInfoOf(context));
		return caller === undefined ? [] : this.#records.list(caller);
	}

	/** Removes a handle of the caller with its state. Returns `false` where there is none. */
	async delete(context: CallContext, id: string): Promise<boolean> {
		if ((await this.#find(context, id)) === undefined) return false;
		this.#states.delete(id);
		return this.#records.delete(id);
	}

	/** See `HttpTransport.stateOf`. */
	async stateOf(context: CallContext, handle: string | undefined): Promise<CallState> {
		const { sessionId } = context;
		if (sessionId !== undefined) {
			const known = this.#host.sessions.get(sessionId);
			return { state: known?.session.state ?? new SessionState(this.#host.context.info, sessionId) };
		}
		const { id, state } = await (handle === undefined ? this.create(context) : this.open(context, handle));
		return { state, handle: id };
	}

	async #find(context: CallContext, id: string): Promise<SessionRecord | undefined> {
		if (!HANDLE_ID.test(id)) return undefined;
		return this.#records.find(id, callerOf(authInfoOf(context)));
	}

	/** Tells the store of the use, now and then. Returns the record with it. */
	#used(record: SessionRecord): SessionRecord {
		const { context } = this.#host;
		const now = context.clock.now();
		const { idleTtlMs = Number.POSITIVE_INFINITY, lastUsedAt } = record;
		if (now - lastUsedAt >= idleTtlMs / TOUCHES_PER_LIFE) context.background(() => context.info.touch(record.id, now));
		return { ...record, lastUsedAt: Math.max(now, lastUsedAt) };
	}

	#handleOf(id: string, record: SessionRecord): Handle {
		const { info } = this.#host.context;
		const state = this.#states.get(id) ?? new SessionState(info, record.id, this.#host.writeBehind);
		this.#states.delete(id);
		this.#states.set(id, state);
		for (const oldest of this.#states.keys()) {
			if (this.#states.size <= MAX_STATES) break;
			this.#states.delete(oldest);
		}
		return { id, state, expiresAt: expiryOf(record) ?? Number.POSITIVE_INFINITY };
	}
}

/** The same for every handle that a caller may not use: which ones there are is nobody's business. */
function unknown(): SessionManagerError {
	return new SessionManagerError(
		'no-such-session',
		'There is no such handle, or it has expired: call again without one, and use the new one from then on.',
	);
}
