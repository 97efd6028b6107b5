import type { JsonObject } from '@holdfast/session-manager';
import { ConversationError } from '../contract/conversation-error.js';
import type { DiscoveryKind, MessageContent, MessageRole, NewDiscovery } from '../contract/conversation-record.js';
import { checkJson, checkText } from './limits.js';

const METADATA_BYTES = 65_536;

/** A message to add. */
export interface MessageInput {
	readonly role: MessageRole;
	readonly content: MessageContent;
	readonly metadata?: JsonObject | undefined;
}

/** A discovery to add. */
export interface DiscoveryInput {
	readonly title: string;
	readonly description?: string | undefined;
	/** @default 'finding' */
	readonly kind?: DiscoveryKind | undefined;
	/**
	 * How much it matters, or how sure it is: from 0 to 1.
	 *
	 * @default 1
	 */
	readonly relevance?: number | undefined;
	/** The numbers of the messages that it rests on. */
	readonly messages?: readonly number[] | undefined;
	/** The keys of the context that it rests on. */
	readonly context?: readonly string[] | undefined;
	/** The numbers of earlier discoveries that it settles. */
	readonly resolves?: readonly number[] | undefined;
}

/** What of a head can be changed. */
export interface HeadChanges {
	readonly title?: string | undefined;
	readonly project?: string | undefined;
	readonly description?: string | undefined;
	readonly metadata?: JsonObject | undefined;
}

/** Throws where a message is not what it must be, or too long. */
export function checkMessage({ role, content, metadata }: MessageInput, maxBytes: number): void {
	if (!['user', 'assistant', 'system', 'tool'].includes(role)) {
		throw new ConversationError('invalid', 'role must be "user", "assistant", "system" or "tool".');
	}
	if (typeof content !== 'string' && !Array.isArray(content)) {
		throw new ConversationError('invalid', 'content must be a text, or a list of content blocks.');
	}
	checkJson('The message', { content, metadata }, maxBytes, 'split it, or store a summary.');
}

/** Returns a discovery with its defaults. Throws where it is not what it must be. */
export function checkedDiscovery(discovery: DiscoveryInput): Omit<NewDiscovery, 'at' | 'by'> {
	const { title, description = '', kind = 'finding', relevance = 1 } = discovery;
	const { messages = [], context = [], resolves = [] } = discovery;
	checkText('title', title, 500);
	checkText('description', description, 20_000, 0);
	if (!['finding', 'hypothesis', 'question', 'decision'].includes(kind)) {
		throw new ConversationError('invalid', 'kind must be "finding", "hypothesis", "question" or "decision".');
	}
	if (typeof relevance !== 'number' || !(relevance >= 0 && relevance <= 1)) {
		throw new ConversationError('invalid', 'relevance must be a number from 0 to 1.');
	}
	checkJson('The evidence', { messages, context, resolves }, METADATA_BYTES, 'name less of it.');
	return { kind, title, description, relevance, evidence: { messages, context }, resolves };
}

/** Throws where a title, project, description or metadata is not what it must be. */
export function checkHead({ title, project, description, metadata }: HeadChanges): void {
	if (title !== undefined) checkText('title', title, 500);
	if (project !== undefined) checkText('project', project, 500, 0);
	if (description !== undefined) checkText('description', description, 20_000, 0);
	if (metadata === undefined) return;
	if (typeof metadata !== 'object' || metadata === null || Array.isArray(metadata)) {
		throw new ConversationError('invalid', 'metadata must be a JSON object.');
	}
	checkJson('metadata', metadata, METADATA_BYTES, 'put it into the context.');
}
