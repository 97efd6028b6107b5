import { within } from '../../support/deadline.ts';
import { HealthySession } from '../healthy-session.ts';

/** A session whose client was asked something, and has not answered yet. */
export class AskedSession {
	readonly session: HealthySession;
	/** The id of the question on the wire. */
	readonly wireId: string;
	readonly #reader: ReadableStreamDefaultReader<string>;

	private constructor(session: HealthySession, wireId: string, reader: ReadableStreamDefaultReader<string>) {
		this.session = session;
		this.wireId = wireId;
		this.#reader = reader;
	}

	/** Opens a session and calls a tool that asks. */
	static async open(port: number): Promise<AskedSession> {
		const session = await HealthySession.open(port, { elicitation: {} });
		const call = { jsonrpc: '2.0', id: 'call', method: 'tools/call', params: { name: 'ask', arguments: {} } };
		const { body } = await session.post(call);
		if (body === null) throw new Error('The call was answered with nothing.');
		const reader = body.pipeThrough(new TextDecoderStream()).getReader();
		const question = await readUntil(
			reader,
			/"id":"([^"]+)","?.*"method":"elicitation\/create"|"method":"elicitation\/create".*"id":"([^"]+)"/,
		);
		return new AskedSession(session, question[1] ?? question[2] ?? '', reader);
	}

	/** Answers the question; resolves with what the tool made of it. */
	async answerWith(word: string): Promise<string> {
		const result = { action: 'accept', content: { word } };
		const accepted = await this.session.post({ jsonrpc: '2.0', id: this.wireId, result });
		if (accepted.status !== 202) throw new Error(`The answer was refused: ${await accepted.text()}`);
		const answer = await readUntil(this.#reader, /"result":.*/);
		return answer[0];
	}
}

async function readUntil(reader: ReadableStreamDefaultReader<string>, pattern: RegExp): Promise<RegExpExecArray> {
	let text = '';
	for (;;) {
		const { done, value } = await within(reader.read(), 'the stream of a call');
		if (done) throw new Error(`The stream ended: ${text}`);
		text += value;
		const match = pattern.exec(text);
		if (match !== null) return match;
	}
}
