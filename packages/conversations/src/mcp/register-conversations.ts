import type { Session } from '@holdfast/session-manager';
import { checkOptions, hasMethods, type OptionSchemas, option, shown, word } from '@holdfast/session-manager/internal';
import { z } from 'zod';
import { ConversationError } from '../contract/conversation-error.js';
import type { Conversations } from '../conversation/conversations.js';
import { jsonOf, wellFormed } from '../reading/well-formed.js';
import { ANONYMOUS, type CallExtra, Caller } from './caller.js';
import { type Names, namesOf, type Vocabulary } from './names.js';
import { promptable, prompts } from './prompts.js';
import { listed, readable, suggestedIds, suggestedKeys, templates } from './resources.js';
import { type AudienceOf, checkSubscriptions, membersOnly, type SubscriptionServer } from './subscriptions.js';
import { explained, named, type Tool } from './tool.js';
import { tools } from './tools.js';

/** An `McpServer` of SDK v1 or v2, in the shape that both have. */
export interface McpServerLike {
	registerTool(name: string, config: never, run: never): unknown;
	registerResource(name: string, template: never, config: never, read: never): unknown;
	registerPrompt(name: string, config: never, get: never): unknown;
	/** Where there is one, it refuses subscriptions to what the caller may not read. */
	readonly server?: SubscriptionServer | undefined;
}

/** Options of {@link registerConversations}. */
export interface RegisterOptions {
	/**
	 * Whose conversations these are.
	 *
	 * @default who is signed in, by issuer and subject; everybody who is not signed in is one person, `anonymous`
	 */
	readonly principal?: string | undefined;
	/**
	 * Which words tools use: `create_conversation` and `conversation_id`, or `create_session`, `add_context` and
	 * `session_id` as other systems call them.
	 *
	 * @default 'conversation'
	 */
	readonly vocabulary?: Vocabulary | undefined;
}

const schemas: OptionSchemas<RegisterOptions> = {
	principal: option('a text that is not empty', (value) => typeof value === 'string' && value !== ''),
	vocabulary: word('conversation', 'session'),
};

/** The key under which both SDKs look for the completion of an argument (`completable`). */
const COMPLETABLE = Symbol.for('mcp.completable');

/**
 * Gives an MCP server the tools, resources and prompts of conversations. `session` is what the function that makes
 * servers gets from a Holdfast transport; `undefined` over stdio and for requests of 2026-07-28. Declare
 * `resources: { subscribe: true }` in the server's capabilities where clients may subscribe: to conversations of which
 * they are members. A server that handles `resources/subscribe` itself checks that itself. Throws `TypeError` for
 * arguments that cannot work.
 *
 * @example
 * ```ts source="../../test/examples/register.examples.ts#register"
 * const transport = new HttpTransport((session) => {
 * 	const server = new McpServer(info, { capabilities: { resources: { subscribe: true } } });
 * 	registerConversations(server, conversations, session);
 * 	return server;
 * });
 * notifySubscribers(conversations, transport.notify);
 * ```
 */
export function registerConversations(
	server: McpServerLike,
	conversations: Conversations,
	session: Pick<Session, 'principal'> | undefined,
	options: RegisterOptions = {},
): void {
	checkOptions('registerConversations', schemas, options);
	checkConversations('registerConversations', conversations, 'second');
	const names = namesOf(options.vocabulary ?? 'conversation');
	const caller = new Caller(conversations, session, options.principal);
	for (const tool of tools) {
		const config = {
			title: tool.title,
			description: named(tool.description, names),
			inputSchema: inputOf(tool, names),
			// Loose: structured results may say more than what is always there.
			outputSchema: z.looseObject(tool.output),
			annotations: { title: tool.title, openWorldHint: false, ...tool.annotations },
		};
		const run = (args: Readonly<Record<string, unknown>>, extra: CallExtra) => {
			const { [names.id]: id = '', ...rest } = args;
			return resultOf(async () => {
				const output = await tool.run(rest, { conversations, person: caller.of(extra), id: String(id), names });
				return { ...output, data: { ...output.data, ...names.besides(tool.name, output.data, rest) } };
			}, names);
		};
		server.registerTool(names.tool(tool.name), config as never, run as never);
	}
	for (const { name, title, description, mimeType, uriTemplate, read } of templates) {
		const template = {
			uriTemplate,
			listCallback: name === 'conversation' ? (extra: CallExtra) => listed(caller.of(extra)) : undefined,
			completeCallback(variable: string) {
				if (variable === 'id') return (typed: string) => suggestedIds(caller.known(), typed);
				if (variable !== 'key') return undefined;
				return (typed: string, context?: { arguments?: Record<string, string> }) =>
					suggestedKeys(caller.known(), context?.arguments?.['id'], typed);
			},
		};
		const show = async ({ href }: URL, variables: Readonly<Record<string, string>>, extra: CallExtra) => {
			const text = await readable(href, async () =>
				read(await caller.of(extra).open(variables['id'] ?? ''), variables),
			);
			return { contents: [{ uri: href, mimeType, text: wellFormed(text) }] };
		};
		server.registerResource(name, template as never, { title, description, mimeType } as never, show as never);
	}
	if (server.server !== undefined) checkSubscriptions(server.server, caller);
	for (const prompt of prompts) {
		const { name, title, description } = prompt;
		const shape = Object.entries(prompt.arguments).map(([argument, { description: meaning, isId }]) => {
			const schema = z.string().describe(meaning);
			const complete = (typed: string) => suggestedIds(caller.known(), typed);
			return [argument, isId ? Object.defineProperty(schema, COMPLETABLE, { value: { complete } }) : schema] as const;
		});
		// A prompt without arguments gets only what is told about the call.
		const get = async (...[args, extra]: [CallExtra] | [Readonly<Record<string, string>>, CallExtra]) => {
			const given = extra === undefined ? {} : (args as Readonly<Record<string, string>>);
			const text = await promptable(async () => prompt.text(caller.of(extra ?? (args as CallExtra)), given, names));
			return { messages: [{ role: 'user', content: { type: 'text', text: wellFormed(text) } }] };
		};
		const argsSchema = shape.length === 0 ? undefined : Object.fromEntries(shape);
		server.registerPrompt(name, { title, description, ...(argsSchema && { argsSchema }) } as never, get as never);
	}
}

/** What tells clients that something changed: `transport.notify` of a Holdfast transport, on every node. */
export interface ResourceNotifier {
	resourceUpdated(uri: string): Promise<void>;
	/** Where there is one, only members are told. */
	restrict?(audienceOf: AudienceOf): void;
	/** Tells the clients of `principals`, or all, that their list changed. Where it is absent, nobody is told. */
	resourcesChanged?(principals?: readonly string[]): Promise<void>;
}

/** Options of {@link notifySubscribers}, which takes those of {@link registerConversations}, too. */
export interface NotifyOptions {
	/**
	 * The option `principal` of {@link registerConversations}: whoever it names is every client.
	 *
	 * @default who is signed in; all clients are told of the list of whoever is not
	 */
	readonly principal?: string | undefined;
}

/**
 * Tells subscribers of each change that this node makes: those who are members of the conversation then, in either era;
 * and whoever has a conversation more or less in their list that it changed. It sets `conversations.onchange`. Call it
 * on every node, also where nothing is written: there it says who may listen.
 */
export function notifySubscribers(
	conversations: Conversations,
	notify: ResourceNotifier,
	options: NotifyOptions = {},
): void {
	checkConversations('notifySubscribers', conversations, 'first');
	if (!hasMethods(notify, ['resourceUpdated']))
		throw new TypeError(`notifySubscribers needs transport.notify second, not ${shown(notify)}.`);
	checkOptions('notifySubscribers', schemas, options);
	notify.restrict?.(membersOnly(conversations, options.principal));
	// No session names these.
	const everybody = options.principal ?? ANONYMOUS;
	conversations.onchange = ({ uris, listOf }) => {
		const told = uris.map((uri) => notify.resourceUpdated(uri));
		const lists = listOf && notify.resourcesChanged?.(listOf.includes(everybody) ? undefined : listOf);
		return Promise.all([...told, lists]);
	};
}

function checkConversations(owner: string, conversations: unknown, place: string): void {
	if (hasMethods(conversations, ['of'])) return;
	throw new TypeError(`${owner} needs the Conversations ${place}, not ${shown(conversations)}.`);
}

function inputOf(tool: Tool, names: Names): z.ZodObject {
	const input = Object.fromEntries(
		Object.entries(tool.input).map(([name, schema]) => [
			name,
			names.mayOmit(tool.name, name) ? z.optional(schema) : schema,
		]),
	);
	if (tool.id === 'none') return z.object(input);
	const id = z.string().min(1);
	const shown =
		tool.id === 'required'
			? id.describe('The id of the conversation')
			: id.optional().describe(ID_MEANINGS[tool.name] ?? 'The id of the conversation');
	return z.object({ [names.id]: shown, ...input });
}

/** What an id means that need not be given. */
const ID_MEANINGS: Partial<Record<Tool['name'], string>> = {
	create_conversation: 'An id of your own, such as "debug-memory-leak"; without it, one is made from the title',
	search_conversation: 'Look only into this conversation; without it, into all of the user’s',
};

async function resultOf(run: () => ReturnType<Tool['run']>, names: Names) {
	try {
		const { data, text } = await run();
		const json = jsonOf(data) ?? '{}';
		return {
			content: [{ type: 'text', text: wellFormed(text ?? json) }],
			// Without members that are `undefined`, which the SDKs would refuse.
			structuredContent: JSON.parse(json),
		};
	} catch (error) {
		if (!(error instanceof ConversationError)) throw error;
		return { isError: true, content: [{ type: 'text', text: wellFormed(explained(error, names)) }] };
	}
}
