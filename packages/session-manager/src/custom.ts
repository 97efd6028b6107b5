// For authors of managers: the two contracts, the base class for brokers, and the types in their signatures.
export { BROADCAST_CHANNEL, type BrokerMessage } from './broker/broker-message.js';
export type {
	BrokerAttached,
	BrokerEvent,
	BrokerPosition,
	BrokerStart,
	HistorySlice,
	StreamPosition,
} from './broker/broker-position.js';
export {
	BrokerStreamSessionManager,
	type BrokerStreamSessionManagerOptions,
} from './broker/broker-stream-session-manager.js';
export type { Clock } from './contract/clock.js';
export { END_OF_STREAM, endsStream } from './contract/end-of-stream.js';
export { type EventId, endEventId, formatEventId, MAX_EVENT_ID_LENGTH, parseEventId } from './contract/event-id.js';
export {
	InfoSessionManager,
	MAX_STATE_BYTES,
	type SessionPage,
	type StoredStateValue,
} from './contract/info-session-manager.js';
export { isThenable, type MaybePromise, whenReady } from './contract/maybe-promise.js';
export type { NodeRecord } from './contract/node-record.js';
export { SessionManagerError, type SessionManagerErrorCode } from './contract/session-manager-error.js';
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
	patched,
	type SessionLimits,
	type SessionPatch,
	type SessionRecord,
	type SessionStatus,
	statusOf,
} from './contract/session-record.js';
export {
	EVERY_NODE,
	isAddress,
	isSessionStream,
	nodeAddress,
	parseStreamId,
	requestStreamId,
	type StreamName,
} from './contract/stream-id.js';
export {
	type StreamAttachment,
	type StreamContinuation,
	type StreamController,
	type StreamCreateOptions,
	StreamSessionManager,
} from './contract/stream-session-manager.js';
export { systemClock } from './contract/system-clock.js';
export { placeOf } from './options/place-of.js';
export { encodableText, originalText } from './store/encodable-text.js';
export { type Migration, missingMigrations } from './store/migrations.js';
export { type BoundedController, BoundedWriter, DEFAULT_MAX_BUFFERED_BYTES } from './stream/bounded-writer.js';
export { DEFAULT_HISTORY_LIMITS, type HistoryLimits } from './stream/stream-history.js';
