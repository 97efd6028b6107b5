export { type Clock, ManualClock, systemClock } from './clock.js';
export { type EventId, formatEventId, MAX_EVENT_ID_LENGTH, parseEventId } from './event-id.js';
export { DEFAULT_MAX_BUFFERED_BYTES, HeldStream } from './held-stream.js';
export {
	InMemoryInfoSessionManager,
	type InMemoryInfoSessionManagerOptions,
	type InMemoryInfoStats,
} from './in-memory-info-session-manager.js';
export {
	InMemoryStreamSessionManager,
	type InMemoryStreamSessionManagerOptions,
	type InMemoryStreamStats,
} from './in-memory-stream-session-manager.js';
export {
	clientInfoOf,
	InfoSessionManager,
	MAX_STATE_BYTES,
	type SessionPage,
	type StoredStateValue,
} from './info-session-manager.js';
export { type MaybePromise, whenReady } from './maybe-promise.js';
export { BROADCAST_CHANNEL, type RelayMessage } from './relay-message.js';
export type {
	LogPosition,
	LogSlice,
	RelayAttached,
	RelayEvent,
	RelayPosition,
} from './relay-position.js';
export {
	RelayStreamSessionManager,
	type RelayStreamSessionManagerOptions,
} from './relay-stream-session-manager.js';
export { Session, type SessionHome } from './session.js';
export { SessionManagerError, type SessionManagerErrorCode } from './session-manager-error.js';
export {
	type Capabilities,
	type ClientInfo,
	type EndedSession,
	expiryOf,
	isExpired,
	isLogLevel,
	type Json,
	type JsonObject,
	LOG_LEVELS,
	type LogLevel,
	type SessionLimits,
	type SessionPatch,
	type SessionRecord,
	type SessionStatus,
	statusOf,
} from './session-record.js';
export { SessionState } from './session-state.js';
export { type StateCheck, StateEntry, type StateIssue, type StateSchema } from './state-entry.js';
export { StateMarks, type StateMarksOptions } from './state-marks.js';
export { decodeStateValue, encodeStateValue, type StateValue } from './state-value.js';
export { DEFAULT_HISTORY_LIMITS, type HistoryLimits } from './stream-history.js';
export {
	EVERY_NODE,
	isAddress,
	isSessionStream,
	nodeAddress,
	parseStreamId,
	requestStreamId,
	type StreamName,
} from './stream-id.js';
export {
	END_OF_STREAM,
	type StreamAttachment,
	type StreamContinuation,
	type StreamController,
	type StreamCreateOptions,
	StreamSessionManager,
} from './stream-session-manager.js';
export { type Unwritten, WriteBehind } from './write-behind.js';
