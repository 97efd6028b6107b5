export { ConversationError, type ConversationErrorCode } from './contract/conversation-error.js';
export type {
	ContextEntry,
	ConversationCounts,
	ConversationHead,
	ConversationState,
	Discovery,
	DiscoveryKind,
	Member,
	Message,
	MessageContent,
	MessageRole,
	Role,
	ShareLinkRecord,
	Visit,
} from './contract/conversation-record.js';
export { type ContextWritten, ConversationStore, type Range } from './contract/conversation-store.js';
export type { SearchKind } from './contract/search-request.js';
export { Conversation, type ShareLink } from './conversation/conversation.js';
export { Conversations, type ConversationsOptions } from './conversation/conversations.js';
export { type ConversationChange, contextUri, conversationUri } from './conversation/home.js';
export type { DiscoveryInput, HeadChanges, MessageInput } from './conversation/input.js';
export type { ConversationLimits } from './conversation/limits.js';
export type { ConversationEvent, ConversationObserver, ConversationStats } from './conversation/observer.js';
export {
	type ConversationSummary,
	type ListOptions,
	type NewConversation,
	PersonConversations,
} from './conversation/person-conversations.js';
export {
	type PersonCounts,
	type PersonErasure,
	type PersonExport,
	type PersonSessions,
	Persons,
} from './conversation/persons.js';
export type { ShareKey } from './conversation/share-links.js';
export { FileConversationStore, type FileConversationStoreOptions } from './file/file-conversation-store.js';
export { InMemoryConversationStore } from './memory/in-memory-conversation-store.js';
export { type ExportedConversation, markdownOf } from './reading/export.js';
export { type ChangesSince, type ResumeSummary, textOfSummary } from './reading/resume-summary.js';
export type { SearchHit, SearchOptions } from './reading/search.js';
