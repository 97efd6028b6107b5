export type { Clock } from './contract/clock.js';
export { InfoSessionManager } from './contract/info-session-manager.js';
export type { MaybePromise } from './contract/maybe-promise.js';
export type { NodeRecord } from './contract/node-record.js';
export { SessionManagerError, type SessionManagerErrorCode } from './contract/session-manager-error.js';
export type {
	Capabilities,
	ClientInfo,
	EndedSession,
	Json,
	JsonObject,
	LogLevel,
	SessionRecord,
	SessionStatus,
} from './contract/session-record.js';
export { StreamSessionManager } from './contract/stream-session-manager.js';
export {
	InMemoryInfoSessionManager,
	type InMemoryInfoSessionManagerOptions,
	type InMemoryInfoStats,
} from './memory/in-memory-info-session-manager.js';
export {
	InMemoryStreamSessionManager,
	type InMemoryStreamSessionManagerOptions,
	type InMemoryStreamStats,
} from './memory/in-memory-stream-session-manager.js';
export { Session } from './session/session.js';
export { SessionState } from './session/session-state.js';
export { type StateCheck, StateEntry, type StateIssue, type StateSchema } from './session/state-entry.js';
export { StateMarks, type StateMarksOptions } from './session/state-marks.js';
export type { StateValue } from './session/state-value.js';
export type { HistoryLimits } from './stream/stream-history.js';
