import { Buffer } from 'node:buffer';
import { isRequestId, type RequestId } from '@holdfast/transport/internal';

/**
 * What a node that runs requests of a session tells the node that holds its stream: an SSE comment on that stream,
 * which the holder strips. `writer` is random for each session on each node.
 */
export type StreamMark = ResponseMark | CallMark | OverMark | OpenMark;

/**
 * Precedes a response. Where a send failed and nobody knows whether the store took the event, it is sent again; the
 * mark identifies the copy.
 */
export interface ResponseMark {
	readonly type: 'response';
	readonly writer: string;
	/** The number of the response: the writer counts from 1. */
	readonly number: number;
	/** The number of the call to which this responds; 0 where the holder was not told of the call. */
	readonly call: number;
	/** Whether it is the response to `initialize`. */
	readonly opens: boolean;
}

/** Says that a call begins to run on a node that does not hold the stream. */
export interface CallMark {
	readonly type: 'call';
	readonly writer: string;
	/** The number of the call: the writer counts from 1. */
	readonly call: number;
	readonly nodeId: string;
	/** The client's request id. */
	readonly id: RequestId;
}

/** Says that a call gets no response, because its client cancelled it. */
export interface OverMark {
	readonly type: 'over';
	readonly writer: string;
	readonly call: number;
}

/** Says that the session was opened without `initialize`, so that from now on its client hears everything. */
export interface OpenMark {
	readonly type: 'open';
}

/** A manager may put an `id:` line before the event. */
const marked = /^(?:id:[^\n]*\n)?:(response|call|over|open) (\S+) (\d+)(?: (\S+))?( opens)?\n/;
/** No mark with its event id is longer. */
const MAX_HEAD_BYTES = 1_024;
const COLON = 0x3a;
const LETTER_I = 0x69;

/**
 * Returns the mark as text. The mark of a response goes right before its event; the others are events by themselves.
 */
export function formatMark(mark: StreamMark): string {
	if (mark.type === 'open') return ':open - 0\n\n';
	if (mark.type === 'over') return `:over ${mark.writer} ${mark.call}\n\n`;
	if (mark.type === 'call')
		return `:call ${mark.writer} ${mark.call} ${mark.nodeId}\ndata: ${JSON.stringify(mark.id)}\n\n`;
	return `:response ${mark.writer} ${mark.number} ${mark.call}${mark.opens ? ' opens' : ''}\n`;
}

/** Parses the mark of an event. Returns it with the rest of the event; `undefined` where there is none. */
export function takeMark(chunk: Uint8Array): { readonly mark: StreamMark; readonly event: Uint8Array } | undefined {
	// Fast path: most events have no mark.
	if (chunk[0] !== COLON && chunk[0] !== LETTER_I) return undefined;
	const head = Buffer.from(chunk.buffer, chunk.byteOffset, Math.min(chunk.byteLength, MAX_HEAD_BYTES));
	const match = marked.exec(head.toString('latin1'));
	if (match === null) return undefined;
	const [text, type, writer = '', number, detail = '', opens] = match;
	const rest = chunk.subarray(text.length);
	const call = Number(number);
	if (type === 'open') return { mark: { type }, event: rest };
	if (type === 'over') return { mark: { type, writer, call }, event: rest };
	if (type === 'call') {
		const id: unknown = JSON.parse(Buffer.from(rest).toString().slice('data: '.length));
		return isRequestId(id) ? { mark: { type, writer, call, nodeId: detail, id }, event: rest } : undefined;
	}
	const mark = { type: 'response', writer, number: call, call: Number(detail), opens: opens !== undefined } as const;
	return { mark, event: chunk[0] === COLON ? rest : chunk };
}
