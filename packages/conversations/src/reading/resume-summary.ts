import type {
	ContextEntry,
	ConversationHead,
	Discovery,
	Message,
	Role,
	Visit,
} from '../contract/conversation-record.js';
import type { ConversationStore } from '../contract/conversation-store.js';
import { textOfContent } from '../store/search-text.js';
import { pagesOf } from './pages.js';
import { partOf } from './well-formed.js';

/** How much of one text a summary shows, in characters. */
const SHOWN = 2_000;
const SHOWN_OF_VALUE = 500;
const MAX_DISCOVERIES = 20;
const MAX_VALUES = 30;
const MAX_CHANGED = 100;
/** How much one discovery names of each kind. */
const MAX_NAMED = 20;

/** What changed since the person was last here. */
export interface ChangesSince {
	/** When that was, in milliseconds since the Unix epoch. */
	readonly at: number;
	/** How many messages were added. */
	readonly messages: number;
	/** How many discoveries were added. */
	readonly discoveries: number;
	/** The keys of the context that were written and are not archived, the last 100 of them. */
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
	/** The latest discoveries, oldest first; long descriptions are cut, and what they name beyond 20. */
	readonly discoveries: readonly Discovery[];
	/** The latest questions and hypotheses that no later discovery resolved, oldest first; cut as well. */
	readonly open: readonly Discovery[];
	/** The values that were used last; long ones are cut. */
	readonly context: readonly { readonly key: string; readonly value: string; readonly isCut: boolean }[];
	/** The last messages, oldest first; long ones are cut. */
	readonly messages: readonly { readonly number: number; readonly role: string; readonly text: string }[];
	readonly totals: {
		readonly messages: number;
		readonly discoveries: number;
		readonly open: number;
		readonly context: number;
	};
}

/** What a summary shows of the context and the discoveries: bounded, however much there is of them. */
export interface Detail {
	/** The values that were used last, cut, the last first, and how many there are in all. */
	readonly values: ResumeSummary['context'];
	readonly valueCount: number;
	/** The keys that were written last, oldest first. */
	readonly written: readonly { readonly key: string; readonly at: number }[];
	/** The latest discoveries, cut, oldest first, and the number of the last. */
	readonly discoveries: readonly Discovery[];
	readonly discoveryCount: number;
	/** The latest of those that are open, and how many there are in all. */
	readonly open: readonly Discovery[];
	readonly openCount: number;
}

/** Sums a conversation up for somebody who was there at `visit`. */
export function summaryOf(
	head: ConversationHead,
	role: Role,
	detail: Detail,
	messages: readonly Message[],
	visit: Visit | undefined,
): ResumeSummary {
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
			discoveries: detail.discoveryCount - visit.discovery,
			context: detail.written.filter(({ at }) => at > visit.at).map(({ key }) => key),
		},
		discoveries: [...detail.discoveries],
		open: [...detail.open],
		context: [...detail.values],
		messages: messages.map((message) => ({
			number: message.number,
			role: message.role,
			text: cut(textOfContent(message.content), SHOWN),
		})),
		totals: {
			messages: last,
			discoveries: detail.discoveryCount,
			open: detail.openCount,
			context: detail.valueCount,
		},
	};
}

/** Reads what a summary shows of a conversation beside its head and its last messages. */
export async function readDetail(store: ConversationStore, id: string): Promise<Detail> {
	const [context, discoveries] = await Promise.all([store.liveContext(id), discoveriesOf(store, id)]);
	return { ...valuesOf(context), ...discoveries };
}

function valuesOf(context: readonly ContextEntry[]): Pick<Detail, 'values' | 'valueCount' | 'written'> {
	const used = context.toSorted((one, other) => other.accessedAt - one.accessedAt);
	const written = context.map(({ key, updatedAt }) => ({ key, at: updatedAt })).sort((one, other) => one.at - other.at);
	return {
		values: used.slice(0, MAX_VALUES).map(shownValue),
		valueCount: used.length,
		written: written.slice(-MAX_CHANGED),
	};
}

/** A discovery is resolved by later ones only: they are read first. */
async function discoveriesOf(
	store: ConversationStore,
	id: string,
): Promise<Pick<Detail, 'discoveries' | 'discoveryCount' | 'open' | 'openCount'>> {
	const resolved = new Set<number>();
	const latest: Discovery[] = [];
	const open: Discovery[] = [];
	let openCount = 0;
	for await (const page of pagesOf((range) => store.discoveries(id, range))) {
		for (const discovery of page.toReversed()) {
			const { kind, number } = discovery;
			const isOpen = (kind === 'question' || kind === 'hypothesis') && !resolved.has(number);
			if (isOpen) openCount++;
			for (const other of discovery.resolves) resolved.add(other);
			if (latest.length < MAX_DISCOVERIES) latest.push(shownDiscovery(discovery));
			if (isOpen && open.length < MAX_DISCOVERIES) open.push(shownDiscovery(discovery));
		}
	}
	const discoveryCount = latest[0]?.number ?? 0;
	return { discoveries: latest.reverse(), discoveryCount, open: open.reverse(), openCount };
}

function shownDiscovery(discovery: Discovery): Discovery {
	const { description, evidence, resolves } = discovery;
	return {
		...discovery,
		description: cut(description, SHOWN),
		evidence: {
			messages: evidence.messages.slice(0, MAX_NAMED),
			context: evidence.context.slice(0, MAX_NAMED).map((key) => beginOf(key, SHOWN_OF_VALUE)),
		},
		resolves: resolves.slice(0, MAX_NAMED),
	};
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
	if (summary.open.length > 0) {
		const isCut = totals.open > summary.open.length;
		parts.push(`## Still open${isCut ? ` (${totals.open} in all)` : ''}`, list(summary.open.map(lineOf)));
	}
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
	const isCut = description.length > SHOWN_OF_VALUE;
	const shown = isCut ? `${beginOf(description, SHOWN_OF_VALUE)} …` : description;
	return `#${number} (${kind}, ${relevance}, ${dateOf(at)}) ${title}: ${shown}`;
}

function list(lines: readonly string[]): string {
	return lines.map((line) => `- ${line}`).join('\n');
}

function shownValue({ key, value }: ContextEntry): ResumeSummary['context'][number] {
	const text = typeof value === 'string' ? value : JSON.stringify(value);
	return { key, value: beginOf(text, SHOWN_OF_VALUE), isCut: text.length > SHOWN_OF_VALUE };
}

function cut(text: string, length: number): string {
	return text.length <= length ? text : `${beginOf(text, length)} … (${text.length} characters in all)`;
}

/** A copy: a part of a text keeps all of it in memory. */
function beginOf(text: string, length: number): string {
	return text.length <= length ? text : Buffer.from(partOf(text, 0, length), 'utf16le').toString('utf16le');
}

function dateOf(at: number): string {
	return new Date(at).toISOString();
}
