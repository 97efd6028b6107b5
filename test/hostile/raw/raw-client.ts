import { connect } from 'node:net';

/** One HTTP response, as far as it came. */
export interface RawAnswer {
	readonly status: number;
	readonly headers: ReadonlyMap<string, string>;
	readonly body: string;
}

/** How a client behaves after it wrote. */
export type Ending =
	/** It waits for so many answers, then goes. */
	| { readonly answers: number }
	/** It says that nothing follows, and reads until the server closes the connection. */
	| 'half-close'
	/** It goes at once, in good order or with a reset. */
	| 'close'
	| 'reset';

/** What came of one connection. */
export interface Outcome {
	readonly answers: readonly RawAnswer[];
	/** What came after the last whole response. */
	readonly rest: string;
	/** What was awaited did not come in time. */
	readonly hung: boolean;
}

const DEADLINE_MS = 4_000;

/** Writes bytes to a server, whatever they are, and reads what comes. Never rejects: a cut connection is an outcome. */
export function sendRaw(port: number, bytes: Uint8Array, ending: Ending): Promise<Outcome> {
	return new Promise((resolve) => {
		const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
		let received = '';
		let hung = false;
		const outcome = () => ({ ...parseAnswers(received), hung });
		const deadline = setTimeout(() => {
			hung = true;
			socket.destroy();
		}, DEADLINE_MS);
		socket.on('data', (chunk) => {
			received += chunk.toString('latin1');
			if (typeof ending === 'object' && outcome().answers.length >= ending.answers) socket.destroy();
		});
		socket.on('end', () => socket.end());
		// A server may close while the client still writes; the response counts.
		socket.on('error', () => {});
		socket.on('close', () => {
			clearTimeout(deadline);
			resolve(outcome());
		});
		socket.write(bytes, () => {
			if (ending === 'half-close') socket.end();
			else if (ending === 'close') socket.destroy();
			else if (ending === 'reset') socket.resetAndDestroy();
		});
	});
}

function parseAnswers(text: string): { answers: RawAnswer[]; rest: string } {
	const answers: RawAnswer[] = [];
	let rest = text;
	for (;;) {
		const headEnd = rest.indexOf('\r\n\r\n');
		const [statusLine = '', ...lines] = rest.slice(0, headEnd).split('\r\n');
		const status = /^HTTP\/1\.1 (\d{3}) /.exec(statusLine)?.[1];
		if (headEnd === -1 || status === undefined) return { answers, rest };
		const headers = new Map(
			lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
		);
		const afterHead = rest.slice(headEnd + 4);
		if (status.startsWith('1')) {
			rest = afterHead;
			continue;
		}
		const whole =
			headers.get('transfer-encoding') === 'chunked'
				? readChunks(afterHead)
				: readLength(afterHead, Number(headers.get('content-length') ?? 0));
		if (whole === undefined) return { answers, rest };
		answers.push({ status: Number(status), headers, body: whole.body });
		rest = whole.rest;
	}
}

function readLength(text: string, length: number): { body: string; rest: string } | undefined {
	return text.length < length ? undefined : { body: text.slice(0, length), rest: text.slice(length) };
}

function readChunks(text: string): { body: string; rest: string } | undefined {
	let body = '';
	let rest = text;
	for (;;) {
		const lineEnd = rest.indexOf('\r\n');
		const length = Number.parseInt(rest.slice(0, lineEnd), 16);
		if (lineEnd === -1 || rest.length < lineEnd + length + 4) return undefined;
		body += rest.slice(lineEnd + 2, lineEnd + 2 + length);
		rest = rest.slice(lineEnd + length + 4);
		if (length === 0) return { body, rest };
	}
}
