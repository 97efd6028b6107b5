import { Buffer } from 'node:buffer';
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock } from '@holdfast/session-manager';
import { type StreamController, systemClock } from '@holdfast/session-manager/custom';
import { retryEvent } from '../protocol/sse.js';
import {
	currentTurn,
	flushHead,
	flushTurn,
	isDirect,
	plainSocketOf,
	takenFrom,
	writeChunk,
	writeTextChunk,
} from './plain-socket.js';

/** Headers of a response, with names in lower case. */
export type Headers = Readonly<Record<string, string>>;

/** Who is told of the end of a connection. For many connections, objects take less memory than functions. */
export type EndListener = (() => void) | { ended(): void };

/** Who is told when nothing of a connection is left. */
export type GoneListener = (() => void) | { gone(): void };

/**
 * The connection of an SSE stream, as the controller that a stream manager writes to. Status and headers are sent with
 * the first bytes; until then, the exchange can still respond with another status.
 */
export interface Connection extends StreamController {
	/** Whether the connection has not ended yet. */
	readonly open: boolean;
	/** Whether status and headers were sent. */
	readonly begun: boolean;
	/** How many bytes may be buffered before the high-water mark, below 0 beyond it; `null` once it has ended. */
	readonly room: number | null;
	/**
	 * What managers are told: {@link room}, but 1 where a client has not had time to read yet. What was written in one
	 * turn of the event loop, nobody can have read. A client has five seconds, and less where 16 MiB are unread.
	 */
	readonly desiredSize: number | null;
	/** Another number once the client has read something. */
	readonly taken: number;
	/** Calls `listener` once when the connection ends, whoever ends it; at once where it has ended. */
	onEnd(listener: EndListener): void;
	/**
	 * Calls `listener` once when nothing of the connection is left here: its client is gone, or has been sent everything.
	 * That is at its end or, where the client does not read, later.
	 */
	onGone(listener: GoneListener): void;
	/** Calls `listener` once, when the client has read on or the connection has ended. */
	onRead(listener: () => void): void;
	/** Drops what the client has not read, also after the connection has ended. */
	destroy(): void;
	/** Writes `text` as {@link enqueue} does its bytes. Its UTF-8 has `bytes` bytes. */
	enqueueText(text: string, bytes: number): void;
	/** Writes text directly: a comment, or an event without history. Does nothing after the connection has ended. */
	write(text: string): void;
	/**
	 * Breaks the connection off, so that the client does not take the stream for complete. What the system has taken
	 * before still arrives, the event id to resume from with it.
	 */
	error(reason?: unknown): void;
}

/** How many bytes may be buffered in a connection before it signals backpressure. */
const HIGH_WATER_BYTES = 64 * 1024;
/** How long more may be buffered before the client counts as slow, in milliseconds, and how much. */
const PATIENCE_MS = 5_000;
const PATIENCE_BYTES = 16 * 1024 * 1024;

const encoder = new TextEncoder();

/** Who is to be called: one, as a rule, or several in turn. A node has this for each of many connections. */
type Listeners<T> = T | readonly T[] | undefined;

/**
 * What all connections know of their client: whether it had time to read, and of their end, and the moment when nothing
 * of them is left; each of these happens once.
 */
abstract class ClientConnection {
	readonly #clock: Clock;
	/** Since when more is buffered than up to the high-water mark, on the monotonic clock, as far as is known. */
	#fullSince: number | undefined;
	#onread: readonly (() => void)[] | undefined;
	#open = true;
	#gone = false;
	#onend: Listeners<EndListener>;
	#ongone: Listeners<GoneListener>;

	constructor(clock: Clock) {
		this.#clock = clock;
	}

	abstract get room(): number | null;

	get desiredSize(): number | null {
		const { room } = this;
		if (room !== null && room <= 0) return this.#hadTime(room) ? room : 1;
		this.#fullSince = undefined;
		return room;
	}

	get open(): boolean {
		return this.#open;
	}

	onEnd(listener: EndListener): void {
		if (this.#open) this.#onend = withListener(this.#onend, listener);
		else callEnded(listener);
	}

	onGone(listener: GoneListener): void {
		if (this.#gone) callGone(listener);
		else this.#ongone = withListener(this.#ongone, listener);
	}

	onRead(listener: () => void): void {
		if (!this.#open) return listener();
		if (this.#onread === undefined) this.hearReads();
		this.#onread = [...(this.#onread ?? []), listener];
	}

	/** Called when the client is gone or the response is complete. */
	ended(): void {
		this.over();
		this.gone();
	}

	/** Whether nothing of the connection is left here. */
	protected get isGone(): boolean {
		return this.#gone;
	}

	/** The connection has ended. */
	protected over(): void {
		if (!this.#open) return;
		this.#open = false;
		const listeners = this.#onend;
		this.#onend = undefined;
		for (const listener of allOf(listeners)) callEnded(listener);
		this.readOn();
	}

	/** Somebody waits for the client to read on, for the first time: from now on {@link readOn} is to be called. */
	protected hearReads(): void {}

	/** The client has read on. */
	protected readOn(): void {
		if (this.#onread === undefined) return;
		const listeners = this.#onread;
		this.#onread = [];
		for (const listener of listeners) listener();
	}

	/** Nothing of the connection is left here. */
	protected gone(): void {
		if (this.#gone) return;
		this.#gone = true;
		const listeners = this.#ongone;
		this.#ongone = undefined;
		for (const listener of allOf(listeners)) callGone(listener);
	}

	#hadTime(room: number): boolean {
		const now = this.#clock.monotonic();
		this.#fullSince ??= now;
		return now - this.#fullSince >= PATIENCE_MS || room <= -PATIENCE_BYTES;
	}
}

function withListener<T extends EndListener | GoneListener>(listeners: Listeners<T>, listener: T): Listeners<T> {
	if (listeners === undefined) return listener;
	// Unlike `push`, `concat` leaves no room for more.
	return allOf(listeners).concat(listener);
}

function allOf<T extends EndListener | GoneListener>(listeners: Listeners<T>): readonly T[] {
	if (listeners === undefined) return [];
	return isArray(listeners) ? listeners : [listeners];
}

function isArray<T>(listeners: T | readonly T[]): listeners is readonly T[] {
	return Array.isArray(listeners);
}

function callEnded(listener: EndListener): void {
	if (typeof listener === 'function') listener();
	else listener.ended();
}

function callGone(listener: GoneListener): void {
	if (typeof listener === 'function') listener();
	else listener.gone();
}

/** The headers of a connection whose head was written. */
const written: Headers = {};

/** A connection of `node:http`. Chunks go to the socket without web streams. */
export class NodeHttpConnection extends ClientConnection implements Connection {
	readonly #response: ServerResponse;
	#headers: Headers;
	/** Where chunks are written, once the head is out: past the response, if that is safe. */
	#socket: Socket | undefined;
	/** The turn of the event loop in which the last chunk was written there. */
	#turn = -1;

	constructor(response: ServerResponse, headers: Headers, clock: Clock = systemClock) {
		super(clock);
		this.#response = response;
		this.#headers = headers;
		const socket = response.req.socket;
		if (response.destroyed || socket.destroyed) this.ended();
		response.on('close', () => this.ended());
		if (response.socket === null) onPipelineClose(socket, response, () => this.ended());
		// A write that races with the end of the connection fails here; `close` follows and does the rest.
		response.on('error', () => this.over());
	}

	get begun(): boolean {
		return this.#response.headersSent;
	}

	get room(): number | null {
		return !this.open || this.#response.destroyed ? null : HIGH_WATER_BYTES - this.#response.writableLength;
	}

	get taken(): number {
		return takenFrom(this.#response.req.socket);
	}

	enqueue(chunk: Uint8Array): void {
		if (!this.open || this.#response.destroyed) throw new TypeError('The connection is closed.');
		this.#begin();
		const socket = this.#direct();
		if (socket === undefined) this.#writeSafely(chunk);
		else writeChunk(socket, chunk, this.#isMore());
	}

	enqueueText(text: string, bytes: number): void {
		if (!this.open || this.#response.destroyed) throw new TypeError('The connection is closed.');
		this.#begin();
		const socket = this.#direct();
		if (socket === undefined) this.#writeSafely(text);
		else writeTextChunk(socket, text, bytes, this.#isMore());
	}

	write(text: string): void {
		if (this.open && !this.#response.destroyed) this.enqueueText(text, Buffer.byteLength(text));
	}

	close(): void {
		if (!this.open) return;
		this.#begin();
		this.#response.end();
		this.over();
	}

	error(): void {
		if (!this.open) return;
		if (this.#response.socket !== null) flushTurn(this.#response.socket);
		this.destroy();
	}

	destroy(): void {
		const { socket, req } = this.#response;
		this.#response.destroy();
		// A pipelined response that waits for its turn has no socket yet.
		if (socket === null) req.socket.destroy();
		this.over();
	}

	protected override hearReads(): void {
		const read = () => this.readOn();
		const { socket } = this.#response.req;
		this.#response.on('drain', read);
		// What was written to the socket itself drains there.
		socket.on('drain', read);
		this.onEnd(() => socket.off('drain', read));
	}

	#begin(): void {
		if (this.#response.headersSent) return;
		this.#response.writeHead(200, this.#headers);
		this.#headers = written;
		this.#socket = plainSocketOf(this.#response);
		const socket = this.#direct();
		if (socket !== undefined) flushHead(this.#response, socket);
	}

	/** Writes through the response, whoever wraps it. */
	#writeSafely(chunk: Uint8Array | string): void {
		this.#response.write(chunk);
		this.#socket ??= plainSocketOf(this.#response);
	}

	/** Where to write, once the head is written. */
	#direct(): Socket | undefined {
		return this.#socket !== undefined && isDirect(this.#response, this.#socket) ? this.#socket : undefined;
	}

	/** Whether something was written to the socket in this turn of the event loop already. */
	#isMore(): boolean {
		const turn = currentTurn();
		const isMore = this.#turn === turn;
		this.#turn = turn;
		return isMore;
	}
}

/** What to call when a socket closes, for the pipelined responses that wait for their turn on it. */
const pipelines = new WeakMap<Socket, Map<ServerResponse, () => void>>();

/** Node.js emits `close` only on the response whose turn it is. This calls `onclose` for one that waits behind it. */
function onPipelineClose(socket: Socket, response: ServerResponse, onclose: () => void): void {
	let waiting = pipelines.get(socket);
	if (waiting === undefined) {
		const responses = new Map<ServerResponse, () => void>();
		socket.once('close', () => {
			for (const close of responses.values()) close();
		});
		pipelines.set(socket, responses);
		waiting = responses;
	}
	waiting.set(response, onclose);
	response.once('close', () => waiting.delete(response));
}

/** A connection of a fetch runtime: the body of a `Response`. */
export class FetchHttpConnection extends ClientConnection implements Connection {
	readonly #begin: (body: ReadableStream<Uint8Array>) => void;
	#controller: ReadableStreamDefaultController<Uint8Array> | undefined;
	/** How many bytes were written. */
	#written = 0;

	/** `begin` is called once with the body, right before its first bytes. */
	constructor(begin: (body: ReadableStream<Uint8Array>) => void, clock: Clock = systemClock) {
		super(clock);
		this.#begin = begin;
	}

	get begun(): boolean {
		return this.#controller !== undefined;
	}

	get room(): number | null {
		if (!this.open) return null;
		return this.#controller === undefined ? HIGH_WATER_BYTES : this.#controller.desiredSize;
	}

	get taken(): number {
		return this.#written + (this.#controller?.desiredSize ?? HIGH_WATER_BYTES);
	}

	enqueue(chunk: Uint8Array): void {
		if (!this.open) throw new TypeError('The connection is closed.');
		this.#body().enqueue(chunk);
		this.#written += chunk.byteLength;
	}

	enqueueText(text: string): void {
		this.enqueue(encoder.encode(text));
	}

	write(text: string): void {
		if (this.open) this.enqueueText(text);
	}

	close(): void {
		if (!this.open) return;
		this.#body();
		this.over();
		this.#closeIfRead();
	}

	error(reason?: unknown): void {
		if (!this.open) return;
		this.#body().error(reason);
		this.ended();
	}

	destroy(): void {
		if (this.isGone) return;
		this.#body().error(new Error('The client did not read.'));
		this.ended();
	}

	/** After the end, closes the body once all of it was read. */
	#closeIfRead(): void {
		if (this.open || this.isGone || this.#controller?.desiredSize !== HIGH_WATER_BYTES) return;
		this.#controller.close();
		this.gone();
	}

	#body(): ReadableStreamDefaultController<Uint8Array> {
		if (this.#controller !== undefined) return this.#controller;
		const body = new ReadableStream<Uint8Array>(
			{
				start: (controller) => {
					this.#controller = controller;
				},
				pull: () => {
					this.readOn();
					this.#closeIfRead();
				},
				cancel: () => this.ended(),
			},
			new ByteLengthQueuingStrategy({ highWaterMark: HIGH_WATER_BYTES }),
		);
		this.#begin(body);
		if (this.#controller === undefined) throw new Error('A ReadableStream did not start.');
		return this.#controller;
	}
}

/** Closes a connection, and tells its client to come back after `retryMs`. */
export function closeForReconnect(connection: Connection, retryMs: number): void {
	connection.write(retryEvent(retryMs));
	connection.close();
}
