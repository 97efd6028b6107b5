import type { Session } from '@holdfast/session-manager';
import type {
	CreateMessageResult,
	ElicitRequestFormParams,
	ElicitRequestURLParams,
	ElicitResult,
	ListRootsResult,
	LoggingLevel,
} from '@modelcontextprotocol/sdk/types.js';
import type { Node, Progress, QuestionStream, ToolContext } from './tool.js';

type RequestId = string | number;
type RequestOptions = {
	relatedRequestId?: RequestId;
	signal: AbortSignal;
	onprogress?: (progress: Progress) => void;
};
type TextQuestion = {
	messages: { role: 'user'; content: { type: 'text'; text: string } }[];
	maxTokens: number;
};

/** The requests that a server can send, in a shape that fits both SDKs. */
export interface Asker {
	elicitInput(
		question: ElicitRequestFormParams | ElicitRequestURLParams,
		options: RequestOptions,
	): Promise<ElicitResult>;
	createMessage(question: TextQuestion, options: RequestOptions): Promise<CreateMessageResult>;
	listRoots(params: undefined, options: RequestOptions): Promise<ListRootsResult>;
	sendLoggingMessage(message: { level: LoggingLevel; data: unknown }, sessionId?: string): Promise<void>;
}

type CallNotification =
	| { method: 'notifications/message'; params: { level: LoggingLevel; data: unknown } }
	| { method: 'notifications/progress'; params: Progress & { progressToken: RequestId } };

/** One call, as the SDK passes it to a handler, in a shape that fits both SDKs. */
export interface Call {
	readonly id: RequestId;
	readonly signal: AbortSignal;
	readonly progressToken: RequestId | undefined;
	notify(notification: CallNotification): Promise<void>;
	closeStream(): void;
}

/** Creates the context of a tool for `call`. */
export function makeContext(session: Session | undefined, node: Node, server: Asker, call: Call): ToolContext {
	let signal: AbortSignal | undefined;
	const context: ToolContext = {
		get session() {
			if (session === undefined) throw new Error('This tool needs a session.');
			return session;
		},
		node,
		// Created on demand: most calls end before anybody could abort them.
		get signal() {
			signal ??= session === undefined ? call.signal : AbortSignal.any([call.signal, session.signal]);
			return signal;
		},
		progressToken: call.progressToken,
		log: (level, data) => call.notify({ method: 'notifications/message', params: { level, data } }),
		logOnSession: (level, data) => server.sendLoggingMessage({ level, data }, session?.id),
		async progress(progress) {
			if (call.progressToken === undefined) return;
			const params = { ...progress, progressToken: call.progressToken };
			await call.notify({ method: 'notifications/progress', params });
		},
		elicit: (question, stream) => server.elicitInput(question, on(stream)),
		sample: (prompt, stream, onprogress) =>
			server.createMessage(
				{ messages: [{ role: 'user', content: { type: 'text', text: prompt } }], maxTokens: 100 },
				{ ...on(stream), ...(onprogress && { onprogress }) },
			),
		listRoots: (stream) => server.listRoots(undefined, on(stream)),
		closeStream: call.closeStream,
	};
	// Without the request id, a question goes to the session stream; the shortcuts of v2's own context omit it.
	const on = (stream: QuestionStream = 'call') =>
		stream === 'session' ? { signal: context.signal } : { relatedRequestId: call.id, signal: context.signal };
	return context;
}
