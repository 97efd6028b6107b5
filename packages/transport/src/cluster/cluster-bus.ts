import type { MaybePromise, StreamSessionManager } from '@holdfast/session-manager';
import {
	EVERY_NODE,
	nodeAddress,
	type StreamAttachment,
	type StreamController,
	type StreamCreateOptions,
} from '@holdfast/session-manager/custom';
import * as v from 'valibot';
import type { NodeContext } from '../node/node-context.js';
import { type JsonRpcMessage, readMessage } from '../protocol/json-rpc.js';

/** A message from one node to another, or to all others. */
export type ClusterMessage =
	/** A client's message for the node that waits for it, or that runs the request which it cancels. */
	| { readonly type: 'client-message'; readonly sessionId: string; readonly message: JsonRpcMessage }
	/** The stored session changed: cached copies are stale. */
	| { readonly type: 'session-changed'; readonly sessionId: string }
	/** The session has ended. */
	| { readonly type: 'session-ended'; readonly sessionId: string; readonly reason: string }
	/**
	 * The session was suspended: each node frees what it holds of it unless it is in use, and closes its connections
	 * where `connectionsToo` says so.
	 */
	| { readonly type: 'session-suspended'; readonly sessionId: string; readonly connectionsToo: boolean }
	/** A client resumed a request stream. If its node no longer writes to it, that node must end it. */
	| { readonly type: 'stream-resumed'; readonly streamId: string; readonly primed: boolean }
	/** The connection of a stream must be closed, so that its client comes back later. */
	| { readonly type: 'close-connection'; readonly streamId: string };

const schema = v.variant('type', [
	v.object({
		type: v.literal('client-message'),
		from: v.string(),
		sessionId: v.string(),
		message: v.pipe(
			v.unknown(),
			v.rawTransform(({ dataset, addIssue, NEVER }) => {
				const message = readMessage(dataset.value);
				if (message !== undefined) return message;
				addIssue({ message: 'not a JSON-RPC message' });
				return NEVER;
			}),
		),
	}),
	v.object({ type: v.literal('session-changed'), from: v.string(), sessionId: v.string() }),
	v.object({ type: v.literal('session-ended'), from: v.string(), sessionId: v.string(), reason: v.string() }),
	v.object({
		type: v.literal('session-suspended'),
		from: v.string(),
		sessionId: v.string(),
		connectionsToo: v.boolean(),
	}),
	v.object({ type: v.literal('stream-resumed'), from: v.string(), streamId: v.string(), primed: v.boolean() }),
	v.object({ type: v.literal('close-connection'), from: v.string(), streamId: v.string() }),
]);

/** The buses of this process that share one listener on the address of all nodes, for a manager without attachments. */
interface SharedListener {
	readonly buses: Set<ClusterBus>;
	readonly ready: MaybePromise<unknown>;
}

const sharedListeners = new WeakMap<StreamSessionManager, SharedListener>();

const decoder = new TextDecoder();
const eventLine = 'event: holdfast\n';

/** Handles the messages of one type. */
type Handler<T extends ClusterMessage['type']> = (message: Extract<ClusterMessage, { readonly type: T }>) => void;

/**
 * Carries messages between nodes over the stream manager itself, so that it needs no second bus. A node listens on its
 * own address and on the address of all nodes; no session id can spell either. Each message is one SSE event, like
 * everything that a manager carries.
 */
export class ClusterBus {
	/** Called when messages from other nodes may have been missed. */
	ongap: (() => void) | undefined;
	/** Called once, when the bus listens. */
	onlistening: (() => void) | undefined;
	readonly #context: NodeContext;
	readonly #handlers = new Map<ClusterMessage['type'], (message: never) => void>();
	readonly #attachments: StreamAttachment[] = [];
	#listening: Promise<void> | undefined;
	#listens = false;

	constructor(context: NodeContext) {
		this.#context = context;
	}

	/** Sets the handler for messages of one type, and replaces any that was set before. */
	on<T extends ClusterMessage['type']>(type: T, handler: Handler<T>): void {
		this.#handlers.set(type, handler);
	}

	/**
	 * Starts to listen; idempotent. Whatever is read from the store afterwards cannot change without this node hearing of
	 * it. Rejects when the store is unavailable; the next call tries again.
	 */
	listen(): MaybePromise<void> {
		if (this.#listens) return;
		this.#listening ??= this.#listen().then(
			() => {
				this.#listens = true;
				this.onlistening?.();
			},
			(error: unknown) => {
				this.#listening = undefined;
				throw error;
			},
		);
		return this.#listening;
	}

	/** Returns whether node `nodeId` listens. Throws or rejects when the store is unavailable. */
	isListening(nodeId: string): MaybePromise<boolean> {
		return this.#context.streams.has(nodeAddress(nodeId));
	}

	/** Sends a message to one node. It is lost where that node does not listen. */
	tell(nodeId: string, message: ClusterMessage): MaybePromise<void> {
		return this.#context.streams.send([nodeAddress(nodeId)], this.#encode(message));
	}

	/** Sends a message to every other node. */
	tellAll(message: ClusterMessage): MaybePromise<void> {
		return this.#context.streams.send([EVERY_NODE], this.#encode(message));
	}

	/** Stops listening. */
	async close(): Promise<void> {
		for (const attachment of this.#attachments.splice(0)) attachment.detach();
		sharedListeners.get(this.#context.streams)?.buses.delete(this);
		// A manager without attachments has one listener for each address; that of all nodes is shared with other buses.
		if (!this.#context.streams.resumable) await this.#context.streams.delete(nodeAddress(this.#context.nodeId));
	}

	async #listen(): Promise<void> {
		try {
			const ongap = () => this.ongap?.();
			await this.#listenOn(nodeAddress(this.#context.nodeId), { history: false, ongap });
			if (this.#context.streams.resumable) await this.#listenOn(EVERY_NODE, { history: false });
			else await this.#listenTogether();
		} catch (error) {
			for (const attachment of this.#attachments.splice(0)) attachment.detach();
			throw error;
		}
	}

	async #listenOn(address: string, options: StreamCreateOptions): Promise<void> {
		const attachment = await this.#context.streams.create(address, this.#listener(), options);
		if (attachment !== undefined) this.#attachments.push(attachment);
	}

	/** A manager without attachments has one listener for each address, so all buses of this process share one. */
	async #listenTogether(): Promise<void> {
		let shared = sharedListeners.get(this.#context.streams);
		if (shared === undefined) {
			const buses = new Set<ClusterBus>();
			const receive = (chunk: Uint8Array) => {
				for (const bus of buses) bus.#receive(decoder.decode(chunk));
			};
			const ready = this.#context.streams.create(EVERY_NODE, { enqueue: receive, close() {}, desiredSize: 1 });
			shared = { buses, ready };
			sharedListeners.set(this.#context.streams, shared);
		}
		shared.buses.add(this);
		try {
			await shared.ready;
		} catch (error) {
			if (sharedListeners.get(this.#context.streams) === shared) sharedListeners.delete(this.#context.streams);
			throw error;
		}
	}

	#encode(message: ClusterMessage): string {
		return `${eventLine}data: ${JSON.stringify({ ...message, from: this.#context.nodeId })}\n\n`;
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
			if (!event.startsWith(`${eventLine}data: `)) continue;
			try {
				const { from, ...message } = v.parse(schema, JSON.parse(event.slice(eventLine.length + 'data: '.length)));
				if (from !== this.#context.nodeId) this.#dispatch(message);
			} catch (cause) {
				this.#context.report(new Error('A message from another node could not be read.', { cause }));
			}
		}
	}

	#dispatch(message: ClusterMessage): void {
		// `on` pairs each type with a handler of its messages.
		(this.#handlers.get(message.type) as ((message: ClusterMessage) => void) | undefined)?.(message);
	}
}
