import type { MaybePromise } from '@holdfast/session-manager';
import type {
	ContextEntry,
	ConversationHead,
	Discovery,
	Message,
	StoredConversation,
} from '../contract/conversation-record.js';
import type { ConversationStore, Range } from '../contract/conversation-store.js';
import { textOfContent } from '../store/search-text.js';
import { pagesOf } from './pages.js';

/** Everything of one conversation. Times are in milliseconds since the Unix epoch. */
export interface ExportedConversation extends Omit<ConversationHead, 'links'> {
	readonly context: readonly ContextEntry[];
	readonly messages: readonly Message[];
	readonly discoveries: readonly Discovery[];
}

/** Reads everything of a conversation. With `by`, only what that person wrote. */
export async function exportOf(
	store: ConversationStore,
	{ head }: StoredConversation,
	by?: string,
): Promise<ExportedConversation> {
	const { links: _links, ...rest } = head;
	const isTheirs = (item: { readonly by?: string | undefined }) => by === undefined || item.by === by;
	return {
		...rest,
		members: by === undefined ? rest.members : rest.members.filter(({ principal }) => principal === by),
		context: (await store.context(head.id)).filter(isTheirs),
		messages: await allOf((range) => store.messages(head.id, range), isTheirs),
		discoveries: await allOf((range) => store.discoveries(head.id, range), isTheirs),
	};
}

/** Returns the wanted ones in order. */
async function allOf<T extends { readonly number: number; readonly by?: string | undefined }>(
	read: (range: Range) => MaybePromise<readonly T[]>,
	isWanted: (item: T) => boolean,
): Promise<T[]> {
	const pages: T[][] = [];
	for await (const page of pagesOf(read)) pages.push(page.filter(isWanted));
	return pages.reverse().flat();
}

/**
 * Returns an exported conversation as Markdown to read.
 *
 * @example
 * ```ts source="../../test/examples/conversations.examples.ts#markdown"
 * await writeFile('memory-leak.md', markdownOf(await conversation.export()));
 * ```
 */
export function markdownOf(exported: ExportedConversation): string {
	const { title, id, project, description, state, createdAt, context, discoveries, messages } = exported;
	const parts = [
		`# ${title}`,
		`${id}${project && ` · ${project}`} · ${state} · since ${dateOf(createdAt)}`,
		description,
		...(discoveries.length > 0 ? ['## Discoveries'] : []),
		...discoveries.map(
			(each) =>
				`### ${each.number}. ${each.title}\n\n${each.kind}, relevance ${each.relevance}, ${dateOf(each.at)}\n\n` +
				each.description,
		),
		...(context.length > 0 ? ['## Context'] : []),
		...context.map(
			({ key, value, archived }) =>
				`### ${key}${archived ? ' (archived)' : ''}\n\n${fenced(JSON.stringify(value, undefined, 2))}`,
		),
		...(messages.length > 0 ? ['## Messages'] : []),
		...messages.map(
			({ number, role, at, content }) => `**${number}. ${role}**, ${dateOf(at)}\n\n${textOfContent(content)}`,
		),
	];
	return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}

function fenced(text: string): string {
	// A fence is longer than every run of backticks in it.
	let longest = 2;
	for (const { 0: run } of text.matchAll(/`+/g)) longest = Math.max(longest, run.length);
	const fence = '`'.repeat(longest + 1);
	return `${fence}json\n${text}\n${fence}`;
}

function dateOf(at: number): string {
	return new Date(at).toISOString();
}
