// For authors of stores: the contract, the types in its signatures, and what stores share.
export { ConversationError, type ConversationErrorCode } from './contract/conversation-error.js';
export {
	bytesOfEntry,
	type ContextEntry,
	type ContextWrite,
	type ConversationCounts,
	type ConversationHead,
	type ConversationState,
	type Discovery,
	type DiscoveryKind,
	ERASED,
	erasedDiscovery,
	type Member,
	type Message,
	type MessageContent,
	type MessageRole,
	mayWrite,
	type NewDiscovery,
	type NewMessage,
	type Role,
	roleOf,
	type ShareLinkRecord,
	type StoredConversation,
	typeOfValue,
	type Visit,
} from './contract/conversation-record.js';
export {
	type ContextWritten,
	type ConversationFilter,
	type ConversationPage,
	ConversationStore,
	type HistoryRoom,
	type Range,
	type StoreLimits,
	type WriterUse,
} from './contract/conversation-store.js';
export type { SearchCandidate, SearchKind, SearchRequest, SearchTerm } from './contract/search-request.js';
export { best, MAX_COMPARED, matching, type SearchedText } from './store/best-matches.js';
export { damaged, rethrow, tolerant, understood } from './store/database-records.js';
export { tooMany, tooManyKept, tooManyOf } from './store/matches.js';
export { keysToArchive, messagesToArchive } from './store/room.js';
export { scoreOf, textOfContent, textOfDiscovery, textOfValue, tokensOf } from './store/search-text.js';
export { contextText, discoveryText, messageText } from './store/searched-texts.js';
export { readConversationHead, readDiscovery, readMessage } from './store/stored-records.js';
