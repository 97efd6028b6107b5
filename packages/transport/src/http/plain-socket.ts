import { Buffer } from 'node:buffer';
import { OutgoingMessage, type ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { nextTick } from 'node:process';

// A response that somebody wraps has another.
const { write } = OutgoingMessage.prototype;

/** Longer chunks are not copied to be framed. */
const MAX_FRAMED_BYTES = 64 * 1024;

/** Returns the socket of `response` where its body is sent in chunks over HTTP/1.1 without TLS. */
export function plainSocketOf({ socket, chunkedEncoding }: ServerResponse): Socket | undefined {
	return chunkedEncoding && socket instanceof Socket && !('encrypted' in socket) ? socket : undefined;
}

/**
 * Returns whether chunks of `response`, whose head was written, may be written straight to its socket now: nobody wraps
 * the response or has ended it, it still has the socket, and nothing waits in it that must go first.
 */
export function isDirect(response: ServerResponse, socket: Socket): boolean {
	return (
		response.write === write &&
		response.socket === socket &&
		response.writableLength === socket.writableLength &&
		!response.writableEnded &&
		socket.writable
	);
}

/**
 * Writes the head of a response to its socket, with what follows in this turn of the event loop. Node.js keeps the head
 * as long as the response; as a text by itself, it takes a third of the memory that its many parts take.
 */
export function flushHead(response: ServerResponse, socket: Socket): void {
	corkThisTurn(socket);
	response.flushHeaders();
}

/**
 * Writes one chunk of a body (RFC 9112, 7.1). The first of a turn of the event loop leaves at once, so that the first
 * client of a broadcast does not wait for the last. `more` says that it is not the first: then it leaves with those
 * that follow.
 */
export function writeChunk(socket: Socket, chunk: Uint8Array, more: boolean): void {
	if (more) corkThisTurn(socket);
	if (chunk.byteLength <= MAX_FRAMED_BYTES) {
		socket.write(frameOf(chunk));
		return;
	}
	socket.cork();
	socket.write(`${chunk.byteLength.toString(16)}\r\n`, 'latin1');
	socket.write(chunk);
	socket.write('\r\n', 'latin1');
	socket.uncork();
}

/** Writes text as one chunk, as {@link writeChunk} does bytes. Its UTF-8 has `bytes` bytes. */
export function writeTextChunk(socket: Socket, text: string, bytes: number, more: boolean): void {
	if (more) corkThisTurn(socket);
	// A text of as many bytes as characters is ASCII, which Node.js writes faster as latin1.
	socket.write(`${bytes.toString(16)}\r\n${text}\r\n`, bytes === text.length ? 'latin1' : 'utf8');
}

let turn = 0;
let isTurnKnown = false;

/** Returns a number that is the same until what runs now is done. */
export function currentTurn(): number {
	if (!isTurnKnown) {
		isTurnKnown = true;
		nextTick(endTurn);
	}
	return turn;
}

function endTurn(): void {
	isTurnKnown = false;
	turn++;
}

/** Hands to the system what waits for the end of this turn, as much as it takes. */
export function flushTurn(socket: Socket): void {
	while (socket.writableCorked > 0) socket.uncork();
}

interface CountedSocket extends Socket {
	/** How many bytes were handed to the system or wait there, of text as well. */
	readonly _bytesDispatched?: number;
	readonly _handle?: { readonly writeQueueSize?: number } | null;
}

/**
 * Returns another number once the peer has taken more of what was written to a socket. Node.js counts a write as a
 * whole, however long it is; as for its own timeouts, what is left of it tells more.
 */
export function takenFrom(socket: CountedSocket): number {
	const handed = socket._bytesDispatched ?? socket.bytesWritten - socket.writableLength;
	return handed - (socket._handle?.writeQueueSize ?? 0);
}

function corkThisTurn(socket: Socket): void {
	if (socket.writableCorked > 0) return;
	socket.cork();
	nextTick(uncork, socket);
}

function uncork(socket: Socket): void {
	socket.uncork();
}

/** The chunk that was framed last: a broadcast hands the same one to every client. */
let last: { readonly chunk: Uint8Array; readonly frame: Buffer } | undefined;

function frameOf(chunk: Uint8Array): Buffer {
	if (last?.chunk !== chunk) last = { chunk, frame: framed(chunk) };
	return last.frame;
}

function framed(chunk: Uint8Array): Buffer {
	const size = chunk.byteLength.toString(16);
	const frame = Buffer.allocUnsafe(size.length + chunk.byteLength + 4);
	frame.write(`${size}\r\n`, 0, 'latin1');
	frame.set(chunk, size.length + 2);
	frame.write('\r\n', size.length + 2 + chunk.byteLength, 'latin1');
	return frame;
}
