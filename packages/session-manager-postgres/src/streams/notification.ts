import { isAddress } from '@holdfast/session-manager/custom';
import { originalText } from '../stored-text.js';

/** The longest payload of a notification, in bytes; PostgreSQL takes less than 8,000. */
const MAX_PAYLOAD = 7_900;
/** How many bytes of an event go in one piece, in base64. */
const PIECE_BYTES = 5_400;

/** What a notification to a node says of a stream. */
export type Notice =
	| { readonly type: 'event'; readonly id: string; readonly offset: number; readonly data: string }
	| { readonly type: 'taken'; readonly id: string; readonly order: number }
	| { readonly type: 'over'; readonly id: string };

/** Reads the notifications of one connection, in order. What was cut in pieces is put together again. */
export class NoticeReader {
	/** The pieces of an event of which more follow. They come one after another, because one commit sent them. */
	#pieces: Buffer[] = [];

	/** Returns what the payload of a notification says, as the functions in stream-functions.ts write it. */
	*read(payload: string): Generator<Notice, void> {
		switch (payload[0]) {
			case 'e': {
				for (let at = 1; at < payload.length; ) {
					const end = payload.indexOf('\n', at);
					const [offset = '', length = '', ...id] = payload.slice(at, end).split(' ');
					at = end + 1 + Number(length);
					const data = payload.slice(end + 1, at);
					yield { type: 'event', id: streamIdOf(id.join(' ')), offset: Number(offset), data };
				}
				return;
			}
			case 'c': {
				const end = payload.indexOf('\n');
				const [number = '', count = '', offset = '', ...id] = payload.slice(1, end).split(' ');
				const data = this.#piece(Number(number), Number(count), payload.slice(end + 1));
				if (data === undefined) return;
				yield { type: 'event', id: streamIdOf(id.join(' ')), offset: Number(offset), data };
				return;
			}
			case 't': {
				const space = payload.indexOf(' ');
				yield { type: 'taken', id: streamIdOf(payload.slice(space + 1)), order: Number(payload.slice(1, space)) };
				return;
			}
			case 'x':
				yield { type: 'over', id: streamIdOf(payload.slice(1)) };
		}
	}

	/** Returns the event of a message on an address; `undefined` while pieces of it are missing. */
	readMessage(payload: string): string | undefined {
		const end = payload.indexOf('\n');
		const [, number = '', count = ''] = payload.slice(0, end).split(' ');
		if (count === '') return payload.slice(end + 1);
		return this.#piece(Number(number), Number(count), payload.slice(end + 1));
	}

	#piece(number: number, count: number, base64: string): string | undefined {
		if (number === 0) this.#pieces = [];
		this.#pieces.push(Buffer.from(base64, 'base64'));
		if (number + 1 < count) return undefined;
		const data = Buffer.concat(this.#pieces).toString();
		this.#pieces = [];
		return data;
	}
}

/**
 * Returns the payloads of a message on an address: a line with its number and, of a piece, which of how many it is, and
 * what follows. `number` makes equal messages differ: of equal notifications PostgreSQL sends one.
 */
export function messagePayloads(number: number, data: string): string[] {
	if (!data.includes('\0') && Buffer.byteLength(data) < MAX_PAYLOAD - 20) return [`m${number}\n${data}`];
	const bytes = Buffer.from(data);
	const count = Math.max(1, Math.ceil(bytes.length / PIECE_BYTES));
	return Array.from({ length: count }, (_, index) => {
		const piece = bytes.subarray(index * PIECE_BYTES, (index + 1) * PIECE_BYTES);
		return `m${number} ${index} ${count}\n${piece.toString('base64')}`;
	});
}

/** The payload that ends an address. */
export const ADDRESS_OVER = 'x';

function streamIdOf(stored: string): string {
	if (!stored.includes('\u0001') || isAddress(stored)) return stored;
	const space = stored.indexOf(' ');
	if (space === -1) return originalText(stored);
	return `${originalText(stored.slice(0, space))} ${originalText(stored.slice(space + 1))}`;
}
