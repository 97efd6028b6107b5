import { Buffer } from 'node:buffer';
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { StreamController } from '@holdfast/session-manager/custom';
import { retryEvent } from '../protocol/sse.js';
import { currentTurn, isDirect, plainSocketOf, writeChunk, writeTextChunk } from './plain-socket.js';

/** Headers of a response, with names in lower case. */
export type Headers = Readonly<Record<string, string>>;

/**
 * The connection of an SSE stream, as the controller that a stream manager writes to. Status and headers are sent with
 * the first bytes; until then, the exchange can still respond with another status.
 */
export interface Connection extends StreamController {
	/** Whether the connection has not ended yet. */
	readonly open: boolean;
	/** Whether status and headers were sent. */
	readonly begun: boolean;
	/** Calls `listener` once when the connection ends, whoever ends it; at once where it has ended. */
	onEnd(listener: () => void): void;
	/**
	 * Calls `listener` once when nothing of the connection is left here: its client is gone, or has been sent everything.
	 * That is at its end or, where the client does not read, later.
	 */
	onGone(listener: () => void): void;
	/** Calls `listener` when the client has read on, and when the connection ends. It takes the place of the last one. */
	onRead(listener: () => void): void;
	/** Drops what the client has not read, also after the connection has ended. */
	destroy(): void;
	/** Writes `text` as {@link enqueue} does its bytes. Its UTF-8 has `bytes` bytes. */
	enqueueText(text: string, bytes: number): void;
	/** Writes text directly: a comment, or an event without history. Does nothing after the connection has ended. */
	write(text: string): void;
	/** Breaks the connection off, so that the client does not take the stream for complete. */
	error(reason?: unknown): void;
}

/** How many bytes may be buffered in a connection before it signals backpressure. */
const HIGH_WATER_BYTES = 64 * 1024;

const encoder = new TextEncoder();

/** The end of a connection, which happens once, and its listeners. */
class ConnectionEnd {
	over = false;
	#listeners: (() => void)[] = [];

	on(listener: () => void): void {
		if (this.over) listener();
		else this.#listeners.push(listener);
	}

	happened(): void {
		if (this.over) return;
		this.over = true;
		const listeners = this.#listeners;
		this.#listeners = [];
		for (const listener of listeners) listener();
	}
}

/** A connection of `node:http`. Chunks go to the socket without web streams. */
export class NodeHttpConnection implements Connection {
	readonly #response: ServerResponse;
	readonly #headers: Headers;
	readonly #end = new ConnectionEnd();
	readonly #gone = new ConnectionEnd();
	#onread: (() => void) | undefined;
	/** Where chunks are written, once the head is out: past the response, if that is safe. */
	#socket: Socket | undefined;
	/** The turn of the event loop in which the last chunk was written there. */
	#turn = -1;

	constructor(response: ServerResponse, headers: Headers) {
		this.#response = response;
		this.#headers = headers;
		const socket = response.req.socket;
		if (response.destroyed || socket.destroyed) this.ended();
		response.on('close', () => this.ended());
		if (response.socket === null) onPipelineClose(socket, response, () => this.ended());
		// A write that races with the end of the connection fails here; `close` follows and does the rest.
		response.on('error', () => this.#end.happened());
	}

	get open(): boolean {
		return !this.#end.over;
	}

	get begun(): boolean {
		return this.#response.headersSent;
	}

	get desiredSize(): number | null {
		return this.#end.over || this.#response.destroyed ? null : HIGH_WATER_BYTES - this.#response.writableLength;
	}

	enqueue(chunk: Uint8Array): void {
		if (this.#end.over || this.#response.destroyed) throw new TypeError('The connection is closed.');
		const socket = this.#direct();
		if (socket === undefined) this.#writeSafely(chunk);
		else writeChunk(socket, chunk, this.#isMore());
	}

	enqueueText(text: string, bytes: number): void {
		if (this.#end.over || this.#response.destroyed) throw new TypeError('The connection is closed.');
		const socket = this.#direct();
		if (socket === undefined) this.#writeSafely(text);
		else writeTextChunk(socket, text, bytes, this.#isMore());
	}

	write(text: string): void {
		if (!this.#end.over && !this.#response.destroyed) this.enqueueText(text, Buffer.byteLength(text));
	}

	close(): void {
		if (this.#end.over) return;
		this.#begin();
		this.#response.end();
		this.#end.happened();
	}

	error(): void {
		if (!this.#end.over) this.destroy();
	}

	destroy(): void {
		const { socket, req } = this.#response;
		this.#response.destroy();
		// A pipelined response that waits for its turn has no socket yet.
		if (socket === null) req.socket.destroy();
		this.#end.happened();
	}

	/** Called when the client is gone or the response is complete. */
	ended(): void {
		this.#end.happened();
		this.#gone.happened();
	}

	onGone(listener: () => void): void {
		this.#gone.on(listener);
	}

	onRead(listener: () => void): void {
		if (this.#onread === undefined) {
			const read = () => this.#onread?.();
			const { socket } = this.#response.req;
			this.#response.on('drain', read);
			// What was written to the socket itself drains there.
			socket.on('drain', read);
			this.#end.on(() => {
				socket.off('drain', read);
				read();
			});
		}
		this.#onread = listener;
		if (this.#end.over) listener();
	}

	onEnd(listener: () => void): void {
		this.#end.on(listener);
	}

	#begin(): void {
		if (!this.#response.headersSent) this.#response.writeHead(200, this.#headers);
	}

	/** Writes through the response, whoever wraps it. The head goes with the first bytes. */
	#writeSafely(chunk: Uint8Array | string): void {
		this.#begin();
		this.#response.write(chunk);
		this.#socket ??= plainSocketOf(this.#response);
	}

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
export class FetchHttpConnection implements Connection {
	readonly #begin: (body: ReadableStream<Uint8Array>) => void;
	readonly #end = new ConnectionEnd();
	readonly #gone = new ConnectionEnd();
	#controller: ReadableStreamDefaultController<Uint8Array> | undefined;
	#onread: (() => void) | undefined;

	/** `begin` is called once with the body, right before its first bytes. */
	constructor(begin: (body: ReadableStream<Uint8Array>) => void) {
		this.#begin = begin;
	}

	get open(): boolean {
		return !this.#end.over;
	}

	get begun(): boolean {
		return this.#controller !== undefined;
	}

	get desiredSize(): number | null {
		if (this.#end.over) return null;
		return this.#controller === undefined ? HIGH_WATER_BYTES : this.#controller.desiredSize;
	}

	enqueue(chunk: Uint8Array): void {
		if (this.#end.over) throw new TypeError('The connection is closed.');
		this.#body().enqueue(chunk);
	}

	enqueueText(text: string): void {
		this.enqueue(encoder.encode(text));
	}

	write(text: string): void {
		if (!this.#end.over) this.enqueueText(text);
	}

	close(): void {
		if (this.#end.over) return;
		this.#body();
		this.#end.happened();
		this.#closeIfRead();
	}

	error(reason?: unknown): void {
		if (this.#end.over) return;
		this.#body().error(reason);
		this.ended();
	}

	destroy(): void {
		if (this.#gone.over) return;
		this.#body().error(new Error('The client did not read.'));
		this.ended();
	}

	/** Called when the client is gone or the response is complete. */
	ended(): void {
		this.#end.happened();
		this.#gone.happened();
	}

	onGone(listener: () => void): void {
		this.#gone.on(listener);
	}

	onRead(listener: () => void): void {
		if (this.#onread === undefined) this.#end.on(() => this.#onread?.());
		this.#onread = listener;
		if (this.#end.over) listener();
	}

	onEnd(listener: () => void): void {
		this.#end.on(listener);
	}

	/** After the end, closes the body once all of it was read. */
	#closeIfRead(): void {
		if (!this.#end.over || this.#gone.over || this.#controller?.desiredSize !== HIGH_WATER_BYTES) return;
		this.#controller.close();
		this.#gone.happened();
	}

	#body(): ReadableStreamDefaultController<Uint8Array> {
		if (this.#controller !== undefined) return this.#controller;
		const body = new ReadableStream<Uint8Array>(
			{
				start: (controller) => {
					this.#controller = controller;
				},
				pull: () => {
					this.#onread?.();
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
