import { Buffer } from 'node:buffer';

/**
 * What stands before an answer on its way to the node that holds the stream: an SSE comment, which ends there. By it an answer
 * that was sent again, because nobody could tell whether the store had taken it, is known.
 */
export interface AnswerMark {
	/** Who sends: random for each session on each node. */
	readonly writer: string;
	/** Counts the answers of the writer, from 1. */
	readonly number: number;
	/** Whether it is the one to `initialize`. */
	readonly opens: boolean;
}

/** A manager may put an `id:` line before what it carries. */
const marked = /^(?:id:[^\n]*\n)?:answer (\S+) (\d+)( opens)?\n/;
/** No mark, and no event id, is longer. */
const MAX_HEAD_BYTES = 1_024;
const COLON = 0x3a;
const LETTER_I = 0x69;

/** The mark as text, to be put before an event. */
export function formatMark({ writer, number, opens }: AnswerMark): string {
	return `:answer ${writer} ${number}${opens ? ' opens' : ''}\n`;
}

/** Reads the mark before an event, and what is left of the event without it; `undefined` where there is none. */
export function takeMark(chunk: Uint8Array): { readonly mark: AnswerMark; readonly event: Uint8Array } | undefined {
	// Most of what comes is no answer.
	if (chunk[0] !== COLON && chunk[0] !== LETTER_I) return undefined;
	const head = Buffer.from(chunk.buffer, chunk.byteOffset, Math.min(chunk.byteLength, MAX_HEAD_BYTES));
	const match = marked.exec(head.toString('latin1'));
	if (match?.[1] === undefined) return undefined;
	const mark = { writer: match[1], number: Number(match[2]), opens: match[3] !== undefined };
	return { mark, event: chunk[0] === COLON ? chunk.subarray(match[0].length) : chunk };
}
