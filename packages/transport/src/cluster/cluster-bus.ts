import type { MaybePromise, StreamSessionManager } from '@holdfast/session-manager';
import { SessionManagerError } from '@holdfast/session-manager';
import {
	EVERY_NODE,
	isThenable,
	nodeAddress,
	type StreamAttachment,
	type StreamController,
	type StreamCreateOptions,
	whenReady,
} from '@holdfast/session-manager/custom';
import { toError } from '@holdfast/session-manager/internal';
import type { NodeContext } from '../node/node-context.js';
import { within } from '../node/within.js';
import { type ClusterMessage, type Envelope, formatEnvelope, parseEnvelope, type Reply } from './cluster-message.js';

/**
 * What a part does with the messages of one type. What it returns is the reply, once it resolves; nothing means `true`.
 */
type Handler<T extends ClusterMessage['type']> = (
	message: Extract<ClusterMessage, { readonly type: T }> & { readonly from: string },
) => MaybePromise<Reply | void>;

/** The buses of this process that share one listener on the address of all nodes, for a manager without attachments. */
interface SharedListener {
	readonly buses: Set<ClusterBus>;
	readonly ready: MaybePromise<unknown>;
}

/**
 * How often a question is asked again while replies are missing, in milliseconds: its hearer may have lost the bus for
 * a moment.
 */
const ASK_AGAIN_MS = 500;
/** How long a node that joins the others waits before it tries again, in milliseconds. */
const JOIN_AGAIN_MS = 1_000;
/** How long a node that closes waits for the store to take that it is gone, in milliseconds. */
const GOODBYE_MS = 1_000;
/** How many questions are remembered with their replies, so that what is asked again is not done again. */
const MAX_REMEMBERED = 10_000;

/** A question whose replies are awaited. */
interface Question {
	/** `undefined`: our own message has come back to us. */
	onreply(from: string | undefined, value: Reply): void;
}

const sharedListeners = new WeakMap<StreamSessionManager, SharedListener>();

const decoder = new TextDecoder();

/**
 * How nodes talk: over the streams' own manager. A node listens on its own address and on the one of all nodes, which
 * no client
 * can spell. A message may ask for a reply, which says that the other node has taken it in.
 */
export class ClusterBus {
	/** Called once, when the bus listens. */
	onlistening: (() => void) | undefined;
	readonly #context: NodeContext;
	readonly #handlers = new Map<ClusterMessage['type'], (message: never) => MaybePromise<Reply | void>>();
	readonly #ongaps: (() => void)[] = [];
	readonly #attachments: StreamAttachment[] = [];
	readonly #questions = new Map<number, Question>();
	/** What was replied to the latest questions, by asker and number. */
	readonly #replies = new Map<string, MaybePromise<Reply>>();
	#asked = 0;
	#listening: Promise<void> | undefined;
	#listens = false;
	#joins = false;

	constructor(context: NodeContext) {
		this.#context = context;
		this.on('reply', ({ from, to, value }) => this.#questions.get(to)?.onreply(from, value));
	}

	/** Leads messages of one type to the part that they are for. A node does not hear its own, beats apart. */
	on<T extends ClusterMessage['type']>(type: T, handler: Handler<T>): void {
		this.#handlers.set(type, handler);
	}

	/** Calls `ongap` whenever messages from other nodes may have been missed. */
	onGap(ongap: () => void): void {
		this.#ongaps.push(ongap);
	}

	/**
	 * Starts to listen; idempotent. Whatever is read from the store afterwards cannot change without this node hearing of
	 * it. Rejects when the store is unavailable, and the next call tries again; and when the node closes first.
	 */
	listen(): MaybePromise<void> {
		if (this.#listens) return;
		this.#listening ??= this.#begin().catch((error: unknown) => {
			this.#listening = undefined;
			throw error;
		});
		return this.#listening;
	}

	/**
	 * Starts to listen in the background, and tries again every second while the store is unavailable. Idempotent. Every
	 * request calls it, so that a node is one of the others whatever it serves.
	 */
	join(): void {
		if (this.#joins) return;
		this.#joins = true;
		void this.#join();
	}

	/** Whether node `nodeId` listens, as far as the store knows: a hung node does. */
	isListening(nodeId: string): MaybePromise<boolean> {
		return this.#context.streams.has(nodeAddress(nodeId));
	}

	/** Tells every other node. */
	tellAll(message: ClusterMessage): MaybePromise<void> {
		return this.#send(EVERY_NODE, message);
	}

	/**
	 * Tells every other node, and again for `forMs`, so that one which is cut off now hears it, too. Each handles it
	 * once. Resolves once the store has taken it for the first time. Rejects with the store.
	 */
	async tellAllAgain(message: ClusterMessage, forMs: number): Promise<void> {
		const { clock } = this.#context;
		const number = ++this.#asked;
		await this.#send(EVERY_NODE, message, number);
		const until = clock.monotonic() + forMs;
		const again = () => {
			clock.after(ASK_AGAIN_MS, () => {
				if (this.#context.closed || clock.monotonic() > until) return;
				this.#context.background(() => this.#send(EVERY_NODE, message, number));
				again();
			});
		};
		again();
	}

	/**
	 * Tells one node and resolves with its reply; `undefined` where none comes within `timeoutMs`. Rejects with the
	 * store.
	 */
	async ask(nodeId: string, message: ClusterMessage, timeoutMs: number): Promise<Reply | undefined> {
		let reply: Reply | undefined;
		await this.#ask(nodeAddress(nodeId), message, timeoutMs, (_from, value) => {
			reply = value;
			return true;
		});
		return reply;
	}

	/**
	 * Tells every other node and resolves once `isDone` accepts those that have replied. It is asked only once our own
	 * message has
	 * come back to us, so that all that was said before is known. Returns `false` where `timeoutMs` pass first. Rejects
	 * with the
	 * store.
	 */
	async askAll(
		message: ClusterMessage,
		timeoutMs: number,
		isDone: (replies: ReadonlyMap<string, Reply>) => boolean,
	): Promise<boolean> {
		const replies = new Map<string, Reply>();
		let isBack = false;
		let done = false;
		await this.#ask(EVERY_NODE, message, timeoutMs, (from, value) => {
			if (from === undefined) isBack = true;
			else replies.set(from, value);
			done = isBack && isDone(replies);
			return done;
		});
		return done;
	}

	/** Tells the others that this node is gone, if the store takes that within a second, and stops listening. */
	async close(): Promise<void> {
		const { streams, nodeId, clock } = this.#context;
		const told = this.#listens ? this.#sayGoodbye() : undefined;
		for (const attachment of this.#attachments.splice(0)) attachment.detach();
		sharedListeners.get(streams)?.buses.delete(this);
		// A manager without attachments has one listener for each address; that of all nodes is its neighbours' too.
		if (!streams.resumable) await streams.delete(nodeAddress(nodeId));
		if (told !== undefined) await within(clock, GOODBYE_MS, told);
	}

	async #sayGoodbye(): Promise<void> {
		try {
			await this.tellAll({ type: 'bye' });
		} catch (error) {
			this.#context.report(error);
		}
	}

	async #join(failedFor?: string): Promise<void> {
		if (this.#context.closed) return;
		try {
			await this.listen();
		} catch (error) {
			if (this.#context.closed) return;
			// The same reason is told once.
			const { message } = toError(error);
			if (message !== failedFor) this.#context.report(error);
			this.#context.clock.after(JOIN_AGAIN_MS, () => void this.#join(message));
		}
	}

	#send(address: string, message: ClusterMessage, ask?: number): MaybePromise<void> {
		return this.#context.streams.send([address], formatEnvelope({ ...message, from: this.#context.nodeId, ask }));
	}

	/** Sends a question and waits until `onreply` returns `true`, or `timeoutMs` have passed. */
	async #ask(
		address: string,
		message: ClusterMessage,
		timeoutMs: number,
		onreply: (from: string | undefined, value: Reply) => boolean,
	): Promise<void> {
		this.#assertOpen();
		const { clock } = this.#context;
		const number = ++this.#asked;
		let stop = () => {};
		let stopAgain = () => {};
		const again = () => {
			stopAgain = clock.after(ASK_AGAIN_MS, () => {
				this.#context.background(() => this.#send(address, message, number));
				again();
			});
		};
		const done = new Promise<void>((resolve) => {
			this.#questions.set(number, {
				onreply: (from, value) => {
					if (onreply(from, value)) resolve();
				},
			});
			stop = clock.after(timeoutMs, resolve);
		});
		try {
			await this.#send(address, message, number);
			again();
			await done;
		} finally {
			stop();
			stopAgain();
			this.#questions.delete(number);
		}
	}

	async #begin(): Promise<void> {
		this.#assertOpen();
		await this.#listen();
		if (this.#context.closed) await this.close();
		this.#assertOpen();
		this.#listens = true;
		this.onlistening?.();
	}

	#assertOpen(): void {
		if (this.#context.closed) throw new SessionManagerError('closed', 'The node is closed.');
	}

	async #listen(): Promise<void> {
		const { streams, nodeId } = this.#context;
		try {
			const ongap = () => {
				for (const hears of this.#ongaps) hears();
			};
			await this.#listenOn(nodeAddress(nodeId), { history: false, ongap });
			if (streams.resumable) await this.#listenOn(EVERY_NODE, { history: false });
			else await this.#listenShared();
		} catch (error) {
			for (const attachment of this.#attachments.splice(0)) attachment.detach();
			throw error;
		}
	}

	async #listenOn(address: string, options: StreamCreateOptions): Promise<void> {
		const attachment = await this.#context.streams.create(address, this.#listener(), options);
		if (attachment !== undefined) this.#attachments.push(attachment);
	}

	/**
	 * A manager without attachments has one listener for each address: all of this process that share it share that one.
	 */
	async #listenShared(): Promise<void> {
		const { streams } = this.#context;
		let shared = sharedListeners.get(streams);
		if (shared === undefined) {
			const buses = new Set<ClusterBus>();
			const receive = (chunk: Uint8Array) => {
				for (const bus of buses) bus.#receive(decoder.decode(chunk));
			};
			const ready = streams.create(EVERY_NODE, { enqueue: receive, close() {}, desiredSize: 1 });
			shared = { buses, ready };
			sharedListeners.set(streams, shared);
		}
		shared.buses.add(this);
		try {
			await shared.ready;
		} catch (error) {
			if (sharedListeners.get(streams) === shared) sharedListeners.delete(streams);
			throw error;
		}
	}

	#listener(): StreamController {
		return {
			enqueue: (chunk) => this.#receive(decoder.decode(chunk)),
			close() {},
			desiredSize: 1,
		};
	}

	#receive(text: string): void {
		// A simple manager may deliver broadcasts here too. They are meant for clients.
		for (const event of text.split('\n\n')) {
			try {
				const envelope = parseEnvelope(event);
				if (envelope !== undefined) this.#take(envelope);
			} catch (cause) {
				this.#context.report(new Error('A message from another node could not be read.', { cause }));
			}
		}
	}

	#take(envelope: Envelope): void {
		const { type, from, ask } = envelope;
		if (from === this.#context.nodeId) {
			if (ask !== undefined) this.#questions.get(ask)?.onreply(undefined, true);
			if (type !== 'beat') return;
		}
		// `on` pairs each type with a handler of its messages.
		const handler = this.#handlers.get(type) as ((message: Envelope) => MaybePromise<Reply | void>) | undefined;
		if (ask === undefined) return this.#context.background(() => handler?.(envelope));
		this.#context.background(() =>
			whenReady(this.#replyTo(envelope, ask, handler), (value) =>
				this.#send(nodeAddress(from), { type: 'reply', to: ask, value }),
			),
		);
	}

	/** Handles a question, once however often it is asked. */
	#replyTo(
		envelope: Envelope,
		ask: number,
		handler: ((message: Envelope) => MaybePromise<Reply | void>) | undefined,
	): MaybePromise<Reply> {
		const key = `${envelope.from} ${ask}`;
		const known = this.#replies.get(key);
		if (known !== undefined) return known;
		const handled = handler?.(envelope);
		const reply = isThenable(handled) ? Promise.resolve(handled).then((value) => value ?? true) : (handled ?? true);
		this.#replies.set(key, reply);
		for (const [oldest] of this.#replies) {
			if (this.#replies.size <= MAX_REMEMBERED) break;
			this.#replies.delete(oldest);
		}
		return reply;
	}
}
