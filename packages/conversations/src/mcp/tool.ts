import type { z } from 'zod';
import type { ConversationError } from '../contract/conversation-error.js';
import type { Conversations } from '../conversation/conversations.js';
import type { PersonConversations } from '../conversation/person-conversations.js';
import type { Names, ToolName } from './names.js';

/** What a tool works with during a call. */
export interface ToolContext {
	readonly conversations: Conversations;
	readonly person: PersonConversations;
	/** The id that the call names. */
	readonly id: string;
	readonly names: Names;
}

/** The result of a tool: data, and text where it reads better than the data. */
export interface ToolOutput {
	readonly data: Readonly<Record<string, unknown>>;
	readonly text?: string | undefined;
}

/** A tool, declared once for every SDK. */
export interface Tool {
	readonly name: ToolName;
	readonly title: string;
	/** For a model to read; `{tool}` is replaced by the name of a tool. */
	readonly description: string;
	/** Whether the first argument is the id of a conversation, and whether it must be given. */
	readonly id: 'required' | 'optional' | 'none';
	readonly input: z.ZodRawShape;
	readonly output: z.ZodRawShape;
	readonly annotations: {
		readonly readOnlyHint: boolean;
		readonly destructiveHint?: boolean;
		readonly idempotentHint?: boolean;
	};
	run(args: Readonly<Record<string, unknown>>, context: ToolContext): Promise<ToolOutput>;
}

/** Declares a tool; `run` gets the arguments that `input` has checked. */
export function defineTool<Input extends z.ZodRawShape>(
	tool: Omit<Tool, 'run' | 'input'> & {
		readonly input: Input;
		run(args: z.infer<z.ZodObject<Input>>, context: ToolContext): Promise<ToolOutput>;
	},
): Tool {
	return { ...tool, run: (args, context) => tool.run(args as z.infer<z.ZodObject<Input>>, context) };
}

/** Returns a time as a model reads it. */
export function iso(at: number | undefined): string | undefined {
	return at === undefined ? undefined : new Date(at).toISOString();
}

/** Replaces `{tool}` by the names of the vocabulary. */
export function named(text: string, names: Names): string {
	return text.replaceAll(/\{(\w+)\}/g, (_all, name: string) => names.tool(name as ToolName));
}

/** What to do after an error, by its code. */
const NEXT: Partial<Record<ConversationError['code'], string>> = {
	'not-found': 'Call {list_conversations} to see which there are.',
	taken: 'Call {resume_conversation} with this id to continue it.',
	suspended: 'Call {resume_conversation} first.',
	terminated: 'Call {create_conversation} to begin another.',
	conflict: 'Call {get_context} to see the new value and version.',
	limit: 'Call {list_conversations} to see what can be suspended or ended.',
	unavailable: 'Nothing is lost; try again in a moment.',
	corrupt: 'Tell the user that the operator of this server must repair it.',
};

/** Returns what a model reads about an expected failure. */
export function explained({ code, message }: ConversationError, names: Names): string {
	return [message, named(NEXT[code] ?? '', names)].filter((part) => part !== '').join(' ');
}
