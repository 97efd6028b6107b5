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

/** What nodes tell each other. */
export type ClusterMessage =
	/** A client's message for whoever waits for it or runs what it cancels. */
	| { readonly type: 'client-message'; readonly sessionId: string; readonly message: JsonRpcMessage }
	/** The stored session changed; what was cached of it is old. */
	| { readonly type: 'session-changed'; readonly sessionId: string }
	/** The session is over. */
	| { readonly type: 'session-ended'; readonly sessionId: string; readonly reason: string }
	/** The session was suspended: what is held of it and not in use is to be freed, open connections too or not. */
	| { readonly type: 'session-suspended'; readonly sessionId: string; readonly connectionsToo: boolean }
	/** A client came back to a request stream; if nobody writes to it any more, it is lost and must be ended. */
	| { readonly type: 'stream-resumed'; readonly streamId: string; readonly primed: boolean }
	/** The connection of a stream is to be closed, so that its client comes back later. */
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

/** Who listens, in this process, on the address of all nodes of a manager without attachments. */
interface Neighbourhood {
	readonly buses: Set<ClusterBus>;
	readonly ready: MaybePromise<unknown>;
}

const neighbourhoods = new WeakMap<StreamSessionManager, Neighbourhood>();

const decoder = new TextDecoder();
const eventLine = 'event: holdfast\n';

/** What a part does with the messages of one type. */
type Handler<T extends ClusterMessage['type']> = (message: Extract<ClusterMessage, { readonly type: T }>) => void;

/**
 * How nodes talk: over the streams' own manager. A node listens on its own address and on the one of all nodes, which no client
 * can spell. Each message is one SSE event, as every other thing that a manager carries.
 */
export class ClusterBus {
	/** Called when messages may have been missed. */
	ongap: (() => void) | undefined;
	/** Called once the bus listens. */
	onlistening: (() => void) | undefined;
	readonly #context: NodeContext;
	readonly #handlers = new Map<ClusterMessage['type'], (message: never) => void>();
	readonly #attachments: StreamAttachment[] = [];
	#listening: Promise<void> | undefined;
	#listens = false;

	constructor(context: NodeContext) {
		this.#context = context;
	}

	/** Leads messages of one type to the part that they are for. */
	on<T extends ClusterMessage['type']>(type: T, handler: Handler<T>): void {
		this.#handlers.set(type, handler);
	}

	/** Begins to listen, once. What is read of the store after that cannot change unheard. */
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

	/** Whether node `nodeId` listens. */
	isThere(nodeId: string): MaybePromise<boolean> {
		return this.#context.streams.has(nodeAddress(nodeId));
	}

	/** Tells one node. */
	tell(nodeId: string, message: ClusterMessage): MaybePromise<void> {
		return this.#context.streams.send([nodeAddress(nodeId)], this.#encode(message));
	}

	/** Tells every other node. */
	tellAll(message: ClusterMessage): MaybePromise<void> {
		return this.#context.streams.send([EVERY_NODE], this.#encode(message));
	}

	/** Stops listening. */
	async close(): Promise<void> {
		for (const attachment of this.#attachments.splice(0)) attachment.detach();
		neighbourhoods.get(this.#context.streams)?.buses.delete(this);
		// A manager without attachments has one listener for each address; that of all nodes is its neighbours' too.
		if (!this.#context.streams.resumable) await this.#context.streams.delete(nodeAddress(this.#context.nodeId));
	}

	async #listen(): Promise<void> {
		try {
			const ongap = () => this.ongap?.();
			await this.#listenOn(nodeAddress(this.#context.nodeId), { history: false, ongap });
			if (this.#context.streams.resumable) await this.#listenOn(EVERY_NODE, { history: false });
			else await this.#listenWithNeighbours();
		} catch (error) {
			for (const attachment of this.#attachments.splice(0)) attachment.detach();
			throw error;
		}
	}

	async #listenOn(address: string, options: StreamCreateOptions): Promise<void> {
		const attachment = await this.#context.streams.create(address, this.#listener(), options);
		if (attachment !== undefined) this.#attachments.push(attachment);
	}

	/** A manager without attachments has one listener for each address: all of this process that share it share that one. */
	async #listenWithNeighbours(): Promise<void> {
		let neighbourhood = neighbourhoods.get(this.#context.streams);
		if (neighbourhood === undefined) {
			const buses = new Set<ClusterBus>();
			const hear = (chunk: Uint8Array) => {
				for (const bus of buses) bus.#receive(decoder.decode(chunk));
			};
			const ready = this.#context.streams.create(EVERY_NODE, { enqueue: hear, close() {}, desiredSize: 1 });
			neighbourhood = { buses, ready };
			neighbourhoods.set(this.#context.streams, neighbourhood);
		}
		neighbourhood.buses.add(this);
		try {
			await neighbourhood.ready;
		} catch (error) {
			if (neighbourhoods.get(this.#context.streams) === neighbourhood) neighbourhoods.delete(this.#context.streams);
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
		// A simple manager may deliver broadcasts here too; they are for clients.
		for (const event of text.split('\n\n')) {
			if (!event.startsWith(`${eventLine}data: `)) continue;
			try {
				const { from, ...message } = v.parse(schema, JSON.parse(event.slice(eventLine.length + 'data: '.length)));
				if (from !== this.#context.nodeId) this.#dispatch(message);
			} catch (cause) {
				this.#context.report(new Error('A message between nodes could not be read.', { cause }));
			}
		}
	}

	#dispatch(message: ClusterMessage): void {
		// `on` pairs each type with a handler of its messages.
		(this.#handlers.get(message.type) as ((message: ClusterMessage) => void) | undefined)?.(message);
	}
}
