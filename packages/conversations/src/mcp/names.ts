/** The tools, by the names that they have unless others are chosen. */
export const TOOL_NAMES = Object.freeze([
	'create_conversation',
	'resume_conversation',
	'add_message',
	'get_history',
	'set_context',
	'get_context',
	'add_discovery',
	'search_conversation',
	'list_conversations',
	'suspend_conversation',
	'end_conversation',
	'share_conversation',
	'export_conversation',
	'forget_me',
] as const);

/** The name of a tool. */
export type ToolName = (typeof TOOL_NAMES)[number];

/** How tools and their argument for the id are called. */
export interface Names {
	readonly tool: (name: ToolName) => string;
	readonly id: string;
	/** Whether a tool may be called without an argument that it needs in other words. */
	readonly mayOmit: (name: ToolName, argument: string) => boolean;
	/** What a result says besides, in these words. */
	readonly besides: (name: ToolName, data: Data, args: Data) => Data;
}

type Data = Readonly<Record<string, unknown>>;

/** Which words the tools use: conversations, or sessions as other systems call them. */
export type Vocabulary = 'conversation' | 'session';

/** The names of tools that say "session" instead of "conversation". */
const SESSION_TOOLS: Partial<Record<ToolName, string>> = {
	create_conversation: 'create_session',
	resume_conversation: 'resume_session',
	set_context: 'add_context',
	search_conversation: 'search_session',
	list_conversations: 'list_sessions',
	suspend_conversation: 'suspend_session',
	end_conversation: 'end_session',
	share_conversation: 'share_session',
	export_conversation: 'export_session',
};

/** What results of tools say where one speaks of sessions. */
const SESSION_RESULTS: Partial<Record<ToolName, (data: Data, args: Data) => Data>> = {
	create_conversation: ({ id }, { project = '' }) => ({ session_id: id, status: 'created', project }),
	resume_conversation: ({ id, totals }) => ({
		session_id: id,
		status: 'resumed',
		context_items: (totals as { readonly context: number }).context,
	}),
	set_context: () => ({ status: 'context_added' }),
	suspend_conversation: ({ id }) => ({ session_id: id, status: 'suspended' }),
};

/** Returns the names of a vocabulary. */
export function namesOf(vocabulary: Vocabulary): Names {
	if (vocabulary === 'conversation')
		return { tool: (name) => name, id: 'conversation_id', mayOmit: () => false, besides: () => ({}) };
	return {
		tool: (name) => SESSION_TOOLS[name] ?? name,
		id: 'session_id',
		// Their sessions have none.
		mayOmit: (name, argument) => name === 'create_conversation' && argument === 'title',
		besides: (name, data, args) => SESSION_RESULTS[name]?.(data, args) ?? {},
	};
}
