import type { Json, JsonObject } from '@holdfast/session-manager';
import { z } from 'zod';
import { ConversationError } from '../contract/conversation-error.js';
import type { ContextEntry } from '../contract/conversation-record.js';
import type { Conversation } from '../conversation/conversation.js';
import { markdownOf } from '../reading/export.js';
import { type ResumeSummary, textOfSummary } from '../reading/resume-summary.js';
import { defineTool, iso, type Tool, type ToolContext } from './tool.js';

/** The longest title that is made, in characters. */
const TITLE_LENGTH = 100;
const DAY_MS = 24 * 60 * 60 * 1000;
/** How many bytes of values one call reads. */
const SHOWN_BYTES = 1_048_576;
/** How many of the others it names. */
const NAMED = 200;
const reads = { readOnlyHint: true, idempotentHint: true };
const adds = { readOnlyHint: false, destructiveHint: false, idempotentHint: false };
const sets = { readOnlyHint: false, destructiveHint: false, idempotentHint: true };
const destroys = { readOnlyHint: false, destructiveHint: true, idempotentHint: true };

const anyJson = z.unknown().describe('Any JSON value');
const states = z.enum(['active', 'suspended', 'terminated']);
const uri = z.string();

const title: z.ZodType<string | undefined> = z.string().describe('What it is about, in a few words');

/** Every tool, in the order in which a conversation goes. */
export const tools: readonly Tool[] = [
	defineTool({
		name: 'create_conversation',
		title: 'Begin a conversation',
		description:
			'Begins a conversation that is remembered after this chat has ended. Create one when the user starts work that ' +
			'may go on another day. If it may exist already, call {list_conversations} or {search_conversation} first. ' +
			'Then record what matters with {add_message}, {set_context} and {add_discovery}.',
		id: 'optional',
		input: {
			title,
			project: z.string().optional().describe('The project it belongs to'),
			description: z.string().optional().describe('What is to be achieved'),
			metadata: z.record(z.string(), z.unknown()).optional().describe('Anything else to keep, as a JSON object'),
		},
		output: { id: z.string(), title: z.string(), state: states, uri },
		annotations: adds,
		async run({ title: given, project, description, metadata }, { person, id }) {
			// In the words of sessions it may be left out.
			const title = given ?? titleFrom([description, project, id]);
			const made = await person.create({
				...(id !== '' && { id }),
				title,
				project,
				description,
				metadata: metadata as JsonObject | undefined,
			});
			return { data: { id: made.id, title, state: 'active', uri: made.uri } };
		},
	}),
	defineTool({
		name: 'resume_conversation',
		title: 'Come back to a conversation',
		description:
			'Continues a conversation from an earlier day: makes it active again and returns a summary with its discoveries, ' +
			'open questions, context, last messages, and what changed since the user was last here. Call it first when the ' +
			'user wants to continue something. If you do not know the id, call {list_conversations}. With share_token, the ' +
			'user joins a conversation that somebody shared.',
		id: 'optional',
		input: { share_token: z.string().optional().describe('A share link that the user was given') },
		output: { id: z.string(), title: z.string(), state: states, role: z.string(), totals: z.looseObject({}) },
		annotations: sets,
		async run({ share_token: token }, { person, id, names }) {
			if (token === undefined && id === '') {
				throw new ConversationError('invalid', `Give ${names.id}, or share_token.`);
			}
			const conversation = token === undefined ? person.at(id) : await person.join(token);
			const summary = await conversation.resume();
			return { data: readable(summary), text: textOfSummary(summary) };
		},
	}),
	defineTool({
		name: 'add_message',
		title: 'Record what was said',
		description:
			'Appends what somebody said to the conversation. Record the user’s requests and your own conclusions, not every ' +
			'word. Old messages move to the archive by themselves and are still found by {search_conversation}.',
		id: 'required',
		input: {
			role: z.enum(['user', 'assistant', 'system', 'tool']).describe('Who said it'),
			content: z.string().describe('What was said'),
			metadata: z.record(z.string(), z.unknown()).optional().describe('Anything else to keep with it'),
		},
		output: { number: z.number() },
		annotations: adds,
		async run({ role, content, metadata }, context) {
			const conversation = conversationOf(context);
			const number = await conversation.addMessage({ role, content, metadata: metadata as JsonObject | undefined });
			return { data: { number } };
		},
	}),
	defineTool({
		name: 'get_history',
		title: 'Read messages',
		description:
			'Reads messages in order: the newest ones, or those before a number that you have seen. Archived messages are ' +
			'read as well. Where they are long, you get fewer: read on before the first of them.',
		id: 'required',
		input: {
			before: z.number().int().positive().optional().describe('Only messages with smaller numbers'),
			limit: z.number().int().min(1).max(200).default(50).describe('How many'),
		},
		output: { messages: z.array(z.looseObject({})) },
		annotations: reads,
		async run({ before, limit }, context) {
			const messages = await conversationOf(context).history({ before, limit });
			return { data: { messages: messages.map((each) => ({ ...each, at: iso(each.at) })) } };
		},
	}),
	defineTool({
		name: 'set_context',
		title: 'Keep a value',
		description:
			'Keeps a named value that holds from now on, such as a version, a configuration or a measurement; a value with ' +
			'the same key is replaced. To change a value that others may change too, pass the version that {get_context} ' +
			'gave you. Leave value out to remove the key.',
		id: 'required',
		input: {
			key: z.string().describe('The name of the value, such as "deployment" or "cache_analysis"'),
			value: anyJson.optional(),
			version: z.string().optional().describe('Write only if the stored version still is this one'),
		},
		output: { key: z.string(), version: z.string().optional(), moved_to_archive: z.array(z.string()) },
		annotations: sets,
		async run({ key, value, version }, context) {
			const conversation = conversationOf(context);
			if (value === undefined) {
				await conversation.removeContext(key);
				return { data: { key, moved_to_archive: [] } };
			}
			const options = version === undefined ? {} : { expected: version };
			const written = await conversation.setContext(key, value as Json, options);
			return { data: { key, version: written.version, moved_to_archive: written.archived } };
		},
	}),
	defineTool({
		name: 'get_context',
		title: 'Read values',
		description:
			'Reads a value with its version, also one that moved to the archive. Without key, reads all values that are not ' +
			'archived, those used last first. Where they are large, some are left out: left_out says how many, and names ' +
			'the first of them to read by key.',
		id: 'required',
		input: { key: z.string().optional().describe('Which value; without it, all that are not archived') },
		output: {
			values: z.array(z.looseObject({})),
			left_out: z.object({ count: z.number(), keys: z.array(z.string()) }).optional(),
		},
		annotations: reads,
		async run({ key }, context) {
			const conversation = conversationOf(context);
			const one = key === undefined ? undefined : await conversation.getContext(key);
			if (key !== undefined && one === undefined) {
				throw new ConversationError('not-found', `There is no value "${key}" in "${conversation.id}".`);
			}
			const { shown, left } = fitting(one === undefined ? await conversation.context() : [one]);
			return {
				data: {
					values: shown.map(({ key: name, value, version, type, updatedAt, archived }) => ({
						key: name,
						value,
						version,
						type,
						updated_at: iso(updatedAt),
						archived,
					})),
					...(left.length > 0 && {
						left_out: { count: left.length, keys: left.slice(0, NAMED).map(({ key: name }) => name) },
					}),
				},
			};
		},
	}),
	defineTool({
		name: 'add_discovery',
		title: 'Record a discovery',
		description:
			'Records something that must not be forgotten: a finding, a hypothesis (relevance says how sure you are), an open ' +
			'question, or a decision. Discoveries come first when the conversation is resumed. When you settle an earlier ' +
			'question or hypothesis, name its number in resolves.',
		id: 'required',
		input: {
			title: z.string().describe('The discovery in one sentence'),
			description: z.string().optional().describe('How you know, and what follows'),
			kind: z.enum(['finding', 'hypothesis', 'question', 'decision']).default('finding'),
			relevance: z.number().min(0).max(1).default(1).describe('How much it matters or how sure it is, from 0 to 1'),
			evidence_messages: z.array(z.number().int()).optional().describe('Numbers of messages that it rests on'),
			evidence_context: z.array(z.string()).optional().describe('Keys of the context that it rests on'),
			resolves: z.array(z.number().int()).optional().describe('Numbers of discoveries that it settles'),
		},
		output: { number: z.number() },
		annotations: adds,
		async run({ evidence_messages: messages, evidence_context: keys, ...discovery }, context) {
			const conversation = conversationOf(context);
			return { data: { number: await conversation.addDiscovery({ ...discovery, messages, context: keys }) } };
		},
	}),
	defineTool({
		name: 'search_conversation',
		title: 'Search',
		description:
			'Searches messages, context, discoveries and archives: in one conversation, or in all of the user’s when no id is ' +
			'given. All words must be in one text; "words in quotes" must follow each other; cach* finds every word that ' +
			'begins so. Case and accents do not matter.',
		id: 'optional',
		input: {
			query: z.string().describe('Words, a "phrase", or the beginning of a word*'),
			kinds: z
				.array(z.enum(['message', 'context', 'discovery']))
				.optional()
				.describe('Look only at these'),
			limit: z.number().int().min(1).max(100).default(20),
		},
		output: { hits: z.array(z.looseObject({})) },
		annotations: reads,
		async run({ query, kinds, limit }, context) {
			const options = { kinds, limit };
			const hits =
				context.id === ''
					? await context.person.search(query, options)
					: await conversationOf(context).search(query, options);
			return { data: { hits: hits.map(({ at, rank: _rank, ...hit }) => ({ ...hit, at: iso(at) })) } };
		},
	}),
	defineTool({
		name: 'list_conversations',
		title: 'List conversations',
		description:
			'Lists the user’s conversations, those used last first, with their ids. Call it at the beginning of a chat to see ' +
			'whether there is something to continue.',
		id: 'none',
		input: {
			states: z.array(states).optional().describe('Only these; without it, all'),
			project: z.string().optional().describe('Only those of this project'),
			limit: z.number().int().min(1).max(200).default(50),
		},
		output: { conversations: z.array(z.looseObject({})) },
		annotations: reads,
		async run(options, { person }) {
			const list = await person.list(options);
			return {
				data: {
					conversations: list.map(({ id, title, project, description, state, role, createdAt, lastUsedAt }) => ({
						id,
						title,
						project,
						description,
						state,
						role,
						created_at: iso(createdAt),
						last_used_at: iso(lastUsedAt),
					})),
				},
			};
		},
	}),
	defineTool({
		name: 'suspend_conversation',
		title: 'Pause a conversation',
		description:
			'Lets a conversation rest until {resume_conversation}. Nothing is lost. Call it when the user stops for the day.',
		id: 'required',
		input: {},
		output: { id: z.string(), state: states },
		annotations: sets,
		async run(_args, context) {
			await conversationOf(context).suspend();
			return { data: { id: context.id, state: 'suspended' } };
		},
	}),
	defineTool({
		name: 'end_conversation',
		title: 'End a conversation',
		description:
			'Ends a conversation for good: it can still be read and searched, and never be changed again. With erase, it is ' +
			'removed with everything in it, for everybody: ask the user before. To pause, call {suspend_conversation}.',
		id: 'required',
		input: {
			reason: z.string().optional().describe('Why, such as "solved"'),
			erase: z.boolean().default(false).describe('Remove everything instead of keeping it to read'),
		},
		output: { id: z.string(), state: z.enum(['terminated', 'erased']) },
		annotations: destroys,
		async run({ reason, erase }, context) {
			const conversation = conversationOf(context);
			if (erase) await conversation.erase();
			else await conversation.end(reason);
			return { data: { id: context.id, state: erase ? 'erased' : 'terminated' } };
		},
	}),
	defineTool({
		name: 'share_conversation',
		title: 'Share a conversation',
		description:
			'Makes a link by which somebody can join: they pass it to {resume_conversation} as share_token. Show it only to ' +
			'the user: whoever has it can join. With revoke, a link made earlier no longer counts, and whoever joined by it is out.',
		id: 'required',
		input: {
			role: z.enum(['reader', 'writer']).default('reader').describe('What they may do'),
			expires_in_days: z.number().positive().max(365).default(7),
			revoke: z.string().optional().describe('The link_id of a link to revoke, instead of making one'),
		},
		output: {
			link_id: z.string(),
			share_token: z.string().optional(),
			role: z.string().optional(),
			expires_at: z.string().optional(),
		},
		annotations: adds,
		async run({ role, expires_in_days: days, revoke }, context) {
			const conversation = conversationOf(context);
			if (revoke !== undefined) {
				await conversation.revoke(revoke);
				return { data: { link_id: revoke } };
			}
			const link = await conversation.share(role, Math.ceil(days * DAY_MS));
			const { id, token, expiresAt } = link;
			return { data: { link_id: id, share_token: token, role, expires_at: iso(expiresAt) } };
		},
	}),
	defineTool({
		name: 'export_conversation',
		title: 'Export a conversation',
		description: 'Returns everything in a conversation, archive included, as Markdown to read or as JSON.',
		id: 'required',
		input: { format: z.enum(['markdown', 'json']).default('markdown') },
		output: { id: z.string(), format: z.string() },
		annotations: reads,
		async run({ format }, context) {
			const exported = await conversationOf(context).export();
			const text = format === 'json' ? JSON.stringify(exported, undefined, 2) : markdownOf(exported);
			return { data: { id: context.id, format }, text };
		},
	}),
	defineTool({
		name: 'forget_me',
		title: 'Forget everything about the user',
		description:
			'Erases everything that is stored about the user: the conversations they own, for everybody; what they wrote in ' +
			'others; and their sessions. It cannot be undone. Ask the user, and offer {export_conversation} before.',
		id: 'none',
		input: { confirm: z.literal(true).describe('true, once the user has agreed') },
		output: { conversations: z.number(), contributions: z.number(), sessions: z.number() },
		annotations: destroys,
		async run(_args, { conversations, person }) {
			return { data: { ...(await conversations.persons.erase(person.principal)) } };
		},
	}),
];

/** Returns the values that have at most {@link SHOWN_BYTES} together, the first in any case, and the others. */
function fitting(entries: readonly ContextEntry[]): { shown: readonly ContextEntry[]; left: readonly ContextEntry[] } {
	let bytes = 0;
	const end = entries.findIndex((entry, index) => {
		bytes += entry.bytes;
		return index > 0 && bytes > SHOWN_BYTES;
	});
	return end === -1 ? { shown: entries, left: [] } : { shown: entries.slice(0, end), left: entries.slice(end) };
}

/** Returns the first of `texts` that says something, as short as a title. */
function titleFrom(texts: readonly (string | undefined)[]): string {
	const [line = 'Session'] = texts.map((text) => text?.trim().split('\n')[0] ?? '').filter((text) => text !== '');
	const letters = [...line];
	return letters.length > TITLE_LENGTH ? `${letters.slice(0, TITLE_LENGTH - 1).join('')}…` : line;
}

function conversationOf({ person, id }: ToolContext): Conversation {
	return person.at(id);
}

/** Returns the summary with times that a model reads. */
function readable(summary: ResumeSummary): Record<string, unknown> {
	const { createdAt, lastUsedAt, since, discoveries, open, ...rest } = summary;
	const dated = (each: ResumeSummary['discoveries'][number]) => ({ ...each, at: iso(each.at) });
	return {
		...rest,
		created_at: iso(createdAt),
		last_used_at: iso(lastUsedAt),
		...(since && { since: { ...since, at: iso(since.at) } }),
		discoveries: discoveries.map(dated),
		open: open.map(dated),
	};
}
