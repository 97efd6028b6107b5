import type { Session } from '@holdfast/session-manager';
import type { CallContext, HttpTransport } from '@holdfast/transport-http';
// v1's types are the narrower ones: what fits them fits v2 as well.
import type {
	CallToolResult,
	CreateMessageResult,
	ElicitRequestFormParams,
	ElicitRequestURLParams,
	ElicitResult,
	ListRootsResult,
	LoggingLevel,
} from '@modelcontextprotocol/sdk/types.js';
import type { z } from 'zod';

/** What a tool can use during one call, with either SDK. */
export interface ToolContext {
	readonly session: Session;
	readonly node: Node;
	/** Aborts when the client cancels the call or the session ends. */
	readonly signal: AbortSignal;
	readonly progressToken: string | number | undefined;
	/** Sends a log message on the stream of this call. */
	log(level: LoggingLevel, data: unknown): Promise<void>;
	/** Sends a log message on the session stream. */
	logOnSession(level: LoggingLevel, data: unknown): Promise<void>;
	/** Reports progress on the stream of this call; does nothing if the client requested none. */
	progress(progress: Progress): Promise<void>;
	/** Asks the user. */
	elicit(question: ElicitRequestFormParams | ElicitRequestURLParams, stream?: QuestionStream): Promise<ElicitResult>;
	/** Asks the client's model; `onprogress` is called with its progress. */
	sample(
		prompt: string,
		stream?: QuestionStream,
		onprogress?: (progress: Progress) => void,
	): Promise<CreateMessageResult>;
	/** Asks for the client's roots. */
	listRoots(stream?: QuestionStream): Promise<ListRootsResult>;
	/** Closes the connection of this call; the client reconnects for the rest (SEP-1699). */
	closeStream(): void;
}

/** The progress of a call. */
export type Progress = { progress: number; total?: number | undefined; message?: string | undefined };

/** Where a question goes: on the stream of the call that asks (default), or on the session stream. */
export type QuestionStream = 'call' | 'session';

/** What tools can use of the node they run on. */
export interface Node extends Pick<HttpTransport, 'nodeId' | 'notify' | 'tasks' | 'stateOf'> {
	/** Work that another node begins anew when this one is gone. */
	compute(context: CallContext, args: ComputeArguments): Promise<CallToolResult>;
}

/** What work that takes its time is given. */
export interface ComputeArguments {
	readonly seconds: number;
	readonly label?: string | undefined;
}

/** A tool, declared once for both SDKs. */
export interface Tool {
	readonly name: string;
	readonly description: string;
	readonly input: z.ZodObject;
	/** The schema that `tools/list` shows instead of the converted `input`. */
	readonly inputJsonSchema?: Readonly<Record<string, unknown>>;
	run(args: unknown, context: ToolContext): CallToolResult | Promise<CallToolResult>;
}

interface TypedTool<Input extends z.ZodObject> extends Tool {
	readonly input: Input;
	run(args: z.infer<Input>, context: ToolContext): CallToolResult | Promise<CallToolResult>;
}

/** Declares a tool; `run` receives the arguments that `input` has validated. */
export function defineTool<Input extends z.ZodObject>(tool: TypedTool<Input>): Tool {
	return tool;
}

/** Returns a result of one text. */
export function text(value: string): CallToolResult {
	return { content: [{ type: 'text', text: value }] };
}

/** Returns structured content, and the same JSON as text for clients that do not support it. */
export function structured(value: Record<string, unknown>): CallToolResult {
	return { content: [{ type: 'text', text: JSON.stringify(value) }], structuredContent: value };
}
