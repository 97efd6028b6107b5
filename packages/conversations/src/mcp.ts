export type { Vocabulary } from './mcp/names.js';
export {
	type McpServerLike,
	type NotifyOptions,
	notifySubscribers,
	type RegisterOptions,
	type ResourceNotifier,
	registerConversations,
} from './mcp/register-conversations.js';
