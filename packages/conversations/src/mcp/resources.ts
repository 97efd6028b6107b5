import { ConversationError } from '../contract/conversation-error.js';
import type { Conversation } from '../conversation/conversation.js';
import { conversationUri } from '../conversation/home.js';
import type { PersonConversations } from '../conversation/person-conversations.js';
import { textOfSummary } from '../reading/resume-summary.js';

/** What a resource template shows. */
export interface Template {
	readonly name: string;
	readonly title: string;
	readonly description: string;
	readonly mimeType: string;
	readonly uriTemplate: UriPattern;
	read(conversation: Conversation, variables: Readonly<Record<string, string>>): Promise<string>;
}

/** A URI template that finds its variables: the shape that the templates of both SDKs have. */
export class UriPattern {
	readonly variableNames: readonly string[];
	readonly #text: string;
	readonly #pattern: RegExp;

	/** `pattern` has a named group for each variable. */
	constructor(text: string, pattern: RegExp, variableNames: readonly string[]) {
		this.#text = text;
		this.#pattern = pattern;
		this.variableNames = variableNames;
	}

	/** Returns the variables of a URI, decoded; `null` where it does not match. */
	match(uri: string): Record<string, string> | null {
		const groups = this.#pattern.exec(uri)?.groups;
		if (groups === undefined) return null;
		try {
			const found = Object.entries(groups).filter(([, value]) => value !== undefined);
			return Object.fromEntries(found.map(([name, value]) => [name, decodeURIComponent(value)]));
		} catch {
			return null;
		}
	}

	toString(): string {
		return this.#text;
	}
}

/** Every resource template. */
export const templates: readonly Template[] = [
	{
		name: 'conversation',
		title: 'Conversation',
		description: 'A summary: discoveries, open questions, context and last messages. It changes with every write.',
		mimeType: 'text/markdown',
		uriTemplate: new UriPattern('conversation://{id}', /^conversation:\/\/(?<id>[^/?#]+)\/?$/, ['id']),
		read: async (conversation) => textOfSummary(await conversation.summary()),
	},
	{
		name: 'conversation-history',
		title: 'Messages',
		description: 'The newest 100 messages, or the 100 before a number; fewer where they are long.',
		mimeType: 'application/json',
		uriTemplate: new UriPattern(
			'conversation://{id}/history{?before}',
			/^conversation:\/\/(?<id>[^/?#]+)\/history(?:\?before=(?<before>\d+))?$/,
			['id', 'before'],
		),
		read: async (conversation, { before }) =>
			json(await conversation.history({ limit: 100, ...(before !== undefined && { before: Number(before) }) })),
	},
	{
		name: 'conversation-discoveries',
		title: 'Discoveries',
		description: 'The newest 100 discoveries; fewer where they are long.',
		mimeType: 'application/json',
		uriTemplate: new UriPattern('conversation://{id}/discoveries', /^conversation:\/\/(?<id>[^/?#]+)\/discoveries$/, [
			'id',
		]),
		read: async (conversation) => json(await conversation.discoveries({ limit: 100 })),
	},
	{
		name: 'conversation-context',
		title: 'Value of the context',
		description: 'One named value that holds now.',
		mimeType: 'application/json',
		uriTemplate: new UriPattern(
			'conversation://{id}/context/{key}',
			/^conversation:\/\/(?<id>[^/?#]+)\/context\/(?<key>[^/?#]+)$/,
			['id', 'key'],
		),
		async read(conversation, { key = '' }) {
			const entry = await conversation.getContext(key);
			return json(entry === undefined ? null : entry.value);
		},
	},
];

/** Returns what `read` reads of a resource. Where the person finds no conversation there, that is the error of MCP. */
export async function readable<T>(uri: string, read: () => Promise<T>): Promise<T> {
	try {
		return await read();
	} catch (error) {
		if (!(error instanceof ConversationError) || error.code !== 'not-found') throw error;
		// The code of a resource that is not there (2025-11-25, Resources, Error Handling).
		throw Object.assign(new Error(error.message, { cause: error }), { code: -32002, data: { uri } });
	}
}

/** Lists the person's conversations as resources. */
export async function listed(person: PersonConversations) {
	const list = await person.list({ states: ['active', 'suspended'] });
	return {
		resources: list.map(({ id, title, description }) => ({ uri: conversationUri(id), name: id, title, description })),
	};
}

/** Suggests ids of the person's conversations that begin as typed. */
export async function suggestedIds(person: PersonConversations | undefined, typed: string): Promise<string[]> {
	if (person === undefined) return [];
	const ids = (await person.list({ limit: 200 })).map(({ id }) => id);
	return ids.filter((id) => id.startsWith(typed)).slice(0, 100);
}

/** Suggests keys of the context of conversation `id` that begin as typed; none where there is no such conversation. */
export async function suggestedKeys(
	person: PersonConversations | undefined,
	id: string | undefined,
	typed: string,
): Promise<string[]> {
	if (person === undefined || id === undefined) return [];
	const entries = await person.open(id).then(
		(conversation) => conversation.context(),
		() => [],
	);
	return entries
		.map(({ key }) => key)
		.filter((key) => key.startsWith(typed))
		.slice(0, 100);
}

function json(value: unknown): string {
	return JSON.stringify(value, undefined, 2);
}
