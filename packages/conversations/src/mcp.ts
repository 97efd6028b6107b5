export type { Vocabulary } from './mcp/names.js';
export {
	type McpServerLike,
	notifySubscribers,
	type RegisterOptions,
	type ResourceNotifier,
	registerConversations,
} from './mcp/register-conversations.js';
