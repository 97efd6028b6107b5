import type {
	ContextEntry,
	ConversationHead,
	Discovery,
	Message,
	Role,
	Visit,
} from '../contract/conversation-record.js';
import { textOfContent } from '../store/search-text.js';
import type { Detail } from './detail-cache.js';

/** How much of one text a summary shows, in characters. */
const SHOWN = 2_000;
const SHOWN_OF_VALUE = 500;
const MAX_DISCOVERIES = 20;
const MAX_VALUES = 30;

/** What changed since the person was last here. */
export interface ChangesSince {
	/** When that was, in milliseconds since the Unix epoch. */
	readonly at: number;
	/** How many messages were added. */
	readonly messages: number;
	/** How many discoveries were added. */
	readonly discoveries: number;
	/** The keys of the context that were written. */
	readonly context: readonly string[];
}

/** What somebody needs who comes back to a conversation, in a size that fits into a model's context. */
export interface ResumeSummary {
	readonly id: string;
	readonly title: string;
	readonly project: string;
	readonly description: string;
	readonly state: ConversationHead['state'];
	readonly role: Role;
	readonly createdAt: number;
	readonly lastUsedAt: number;
	/** Absent on the first visit. */
	readonly since?: ChangesSince | undefined;
	/** The latest discoveries, oldest first. */
	readonly discoveries: readonly Discovery[];
	/** Questions and hypotheses that no later discovery resolved, oldest first. */
	readonly open: readonly Discovery[];
	/** The values that were used last; long ones are cut. */
	readonly context: readonly { readonly key: string; readonly value: string; readonly isCut: boolean }[];
	/** The last messages, oldest first; long ones are cut. */
	readonly messages: readonly { readonly number: number; readonly role: string; readonly text: string }[];
	readonly totals: { readonly messages: number; readonly discoveries: number; readonly context: number };
}

/** Sums a conversation up for somebody who was there at `visit`. */
export function summaryOf(
	head: ConversationHead,
	role: Role,
	detail: Detail,
	messages: readonly Message[],
	visit: Visit | undefined,
): ResumeSummary {
	const { context, discoveries } = detail;
	const live = context.filter(({ archived }) => !archived).sort((one, other) => other.accessedAt - one.accessedAt);
	const last = messages.at(-1)?.number ?? 0;
	return {
		id: head.id,
		title: head.title,
		project: head.project,
		description: head.description,
		state: head.state,
		role,
		createdAt: head.createdAt,
		lastUsedAt: head.lastUsedAt,
		since: visit && {
			at: visit.at,
			messages: last - visit.message,
			discoveries: discoveries.length - visit.discovery,
			context: context.filter(({ updatedAt }) => updatedAt > visit.at).map(({ key }) => key),
		},
		discoveries: discoveries.slice(-MAX_DISCOVERIES),
		open: openOf(discoveries),
		context: live.slice(0, MAX_VALUES).map(shownValue),
		messages: messages.map((message) => ({
			number: message.number,
			role: message.role,
			text: cut(textOfContent(message.content), SHOWN),
		})),
		totals: { messages: last, discoveries: discoveries.length, context: live.length },
	};
}

/** Returns questions and hypotheses that no other discovery resolves. */
function openOf(discoveries: readonly Discovery[]): Discovery[] {
	const resolved = new Set(discoveries.flatMap(({ resolves }) => resolves));
	return discoveries.filter(
		({ kind, number }) => (kind === 'question' || kind === 'hypothesis') && !resolved.has(number),
	);
}

/** Returns the summary as Markdown for a model to read. */
export function textOfSummary(summary: ResumeSummary): string {
	const { since, totals } = summary;
	const parts = [
		`# ${summary.title} (${summary.state})`,
		`id: ${summary.id}${summary.project && ` · project: ${summary.project}`} · you are ${summary.role}`,
		summary.description,
	];
	if (since !== undefined) {
		parts.push(
			`Since you were last here (${dateOf(since.at)}): ${since.messages} new messages, ${since.discoveries} new ` +
				`discoveries, context changed: ${since.context.join(', ') || 'nothing'}.`,
		);
	}
	if (summary.discoveries.length > 0) {
		parts.push(`## Discoveries (${totals.discoveries} in all)`, list(summary.discoveries.map(lineOf)));
	}
	if (summary.open.length > 0) parts.push('## Still open', list(summary.open.map(lineOf)));
	if (summary.context.length > 0) {
		parts.push(
			`## Context (${totals.context} values)`,
			list(summary.context.map(({ key, value, isCut }) => `${key}: ${value}${isCut ? ' … (cut: get_context)' : ''}`)),
		);
	}
	if (summary.messages.length > 0) {
		parts.push(
			`## Last messages (of ${totals.messages})`,
			summary.messages.map(({ number, role, text }) => `[${number}] ${role}: ${text}`).join('\n\n'),
		);
	}
	return parts.filter((part) => part !== '').join('\n\n');
}

function lineOf({ number, kind, title, description, relevance, at }: Discovery): string {
	return `#${number} (${kind}, ${relevance}, ${dateOf(at)}) ${title}: ${cut(description, SHOWN_OF_VALUE)}`;
}

function list(lines: readonly string[]): string {
	return lines.map((line) => `- ${line}`).join('\n');
}

function shownValue({ key, value }: ContextEntry): ResumeSummary['context'][number] {
	const text = typeof value === 'string' ? value : JSON.stringify(value);
	return { key, value: text.slice(0, SHOWN_OF_VALUE), isCut: text.length > SHOWN_OF_VALUE };
}

function cut(text: string, length: number): string {
	return text.length <= length ? text : `${text.slice(0, length)} … (${text.length} characters in all)`;
}

function dateOf(at: number): string {
	return new Date(at).toISOString();
}
