import type { JsonObject } from '@holdfast/session-manager';
import { getDotPath, isValiError } from 'valibot';
import { ConversationError } from '../contract/conversation-error.js';
import type { ConversationHead, DiscoveryKind, MessageContent, MessageRole } from '../contract/conversation-record.js';
import { type Found, readFound, readSaid, type Said } from '../store/stored-records.js';
import { checkedJson, checkText } from './limits.js';

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

/** Returns a message as it will be read. Throws where it is not what it must be, or too long. */
export function checkedMessage({ role, content, metadata }: MessageInput, maxBytes: number): Said {
	if (!['user', 'assistant', 'system', 'tool'].includes(role)) {
		throw new ConversationError('invalid', 'role must be "user", "assistant", "system" or "tool".');
	}
	if (typeof content !== 'string' && !Array.isArray(content)) {
		throw new ConversationError('invalid', 'content must be a text, or a list of content blocks.');
	}
	const said = checkedJson('The message', { content, metadata }, maxBytes, 'split it, or store a summary.');
	return asRead('The message', readSaid, { role, ...said });
}

/** Returns a discovery with its defaults, as it will be read. Throws where it is not what it must be. */
export function checkedDiscovery(discovery: DiscoveryInput): Found {
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
	const named = { evidence: { messages, context }, resolves };
	const plain = checkedJson('The evidence', named, METADATA_BYTES, 'name less of it.');
	return asRead('The evidence', readFound, { kind, title, description, relevance, ...plain });
}

/**
 * Returns what is given of title, project, description and metadata, as it will be read. Throws where it is not what it
 * must be.
 */
export function checkedHead({
	title,
	project,
	description,
	metadata,
}: HeadChanges): Partial<Pick<ConversationHead, keyof HeadChanges>> {
	if (title !== undefined) checkText('title', title, 500);
	if (project !== undefined) checkText('project', project, 500, 0);
	if (description !== undefined) checkText('description', description, 20_000, 0);
	const plain = metadata && checkedJson('metadata', metadata, METADATA_BYTES, 'put it into the context.');
	if (metadata !== undefined && (typeof plain !== 'object' || plain === null || Array.isArray(plain))) {
		throw new ConversationError('invalid', 'metadata must be a JSON object.');
	}
	const given = Object.entries({ title, project, description, metadata: plain });
	return Object.fromEntries(given.filter(([, value]) => value !== undefined));
}

/** Returns what is read of a value once it is stored: what could not be understood then is refused now. */
function asRead<T>(name: string, read: (value: unknown) => T, value: unknown): T {
	try {
		return read(value);
	} catch (cause) {
		const why = isValiError(cause) ? cause.issues.map((issue) => `${getDotPath(issue)}: ${issue.message}`) : [];
		throw new ConversationError('invalid', [`${name} is not what it must be.`, ...why].join(' '), { cause });
	}
}
