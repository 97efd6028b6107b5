import { Buffer } from 'node:buffer';
import { isRequestId, type RequestId } from '@holdfast/transport/internal';

/**
 * What a node that serves messages of a session tells the one that holds its stream: an SSE comment on that stream, which ends
 * there. `writer` is random for each session on each node.
 */
export type StreamMark = ResponseMark | CallMark | OverMark;

/** Stands before a response. By it a response that was sent again, because nobody could tell whether the store had taken it, is known. */
export interface ResponseMark {
	readonly type: 'response';
	readonly writer: string;
	/** Counts the responses of the writer, from 1. */
	readonly number: number;
	/** The call that it answers, by its number; 0 for one that the holder was not told of. */
	readonly call: number;
	/** Whether it is the response to `initialize`. */
	readonly opens: boolean;
}

/** A call begins to run on a node that does not hold the stream. */
export interface CallMark {
	readonly type: 'call';
	readonly writer: string;
	/** Counts the calls of the writer, from 1. */
	readonly call: number;
	readonly nodeId: string;
	/** What the client calls it. */
	readonly id: RequestId;
}

/** There will be no response to a call: its client cancelled it. */
export interface OverMark {
	readonly type: 'over';
	readonly writer: string;
	readonly call: number;
}

/** A manager may put an `id:` line before what it carries. */
const marked = /^(?:id:[^\n]*\n)?:(response|call|over) (\S+) (\d+)(?: (\S+))?( opens)?\n/;
/** No mark, and no event id, is longer. */
const MAX_HEAD_BYTES = 1_024;
const COLON = 0x3a;
const LETTER_I = 0x69;

/** The mark as text: that of a response is to be put before its event, the others are events by themselves. */
export function formatMark(mark: StreamMark): string {
	if (mark.type === 'over') return `:over ${mark.writer} ${mark.call}\n\n`;
	if (mark.type === 'call')
		return `:call ${mark.writer} ${mark.call} ${mark.nodeId}\ndata: ${JSON.stringify(mark.id)}\n\n`;
	return `:response ${mark.writer} ${mark.number} ${mark.call}${mark.opens ? ' opens' : ''}\n`;
}

/** Reads the mark before an event, and what is left of the event without it; `undefined` where there is none. */
export function takeMark(chunk: Uint8Array): { readonly mark: StreamMark; readonly event: Uint8Array } | undefined {
	// Most of what comes has none.
	if (chunk[0] !== COLON && chunk[0] !== LETTER_I) return undefined;
	const head = Buffer.from(chunk.buffer, chunk.byteOffset, Math.min(chunk.byteLength, MAX_HEAD_BYTES));
	const match = marked.exec(head.toString('latin1'));
	if (match === null) return undefined;
	const [text, type, writer = '', number, detail = '', opens] = match;
	const rest = chunk.subarray(text.length);
	const call = Number(number);
	if (type === 'over') return { mark: { type, writer, call }, event: rest };
	if (type === 'call') {
		const id: unknown = JSON.parse(Buffer.from(rest).toString().slice('data: '.length));
		return isRequestId(id) ? { mark: { type, writer, call, nodeId: detail, id }, event: rest } : undefined;
	}
	const mark = { type: 'response', writer, number: call, call: Number(detail), opens: opens !== undefined } as const;
	return { mark, event: chunk[0] === COLON ? rest : chunk };
}
