// What Holdfast's own transports share. Not public: anything here may change in any release.
export { CHANGES, type ChangeListener, listenToChanges, RESOURCES_CHANGED_OF } from './cluster/change-feed.js';
export { retrySend } from './cluster/retry-send.js';
export { type Connection, closeForReconnect, type Headers } from './http/connection.js';
export type { Connections } from './http/connections.js';
export { type HttpExchange, refuse, streamHeaders } from './http/exchange.js';
export { pacedSend, pacedWrite, untilRead } from './http/paced-write.js';
export { ownerOf, principalOf, tokenEndOf } from './http/principal.js';
export { type HttpProblem, problemOf, problems } from './http/problems.js';
export { accepts, checkProtocolVersion, isJsonContent } from './http/request-headers.js';
export { isAtPath, withoutSlash } from './http/request-target.js';
export { type Deadline, DeadlineQueue } from './node/deadline-queue.js';
export { guardedStreams } from './node/guarded-manager.js';
export type { NodeContext } from './node/node-context.js';
export type { Observation } from './node/observer.js';
export { Tally } from './node/tally.js';
export { serverTransportSchemas } from './option-schemas.js';
export { assumedInitializeParams, readInitializeParams } from './protocol/initialize-params.js';
export {
	ErrorCode,
	hasMethod,
	isRequest,
	isRequestId,
	type JsonRpcFailure,
	type JsonRpcMessage,
	type JsonRpcNotification,
	type JsonRpcRequest,
	type JsonRpcResponse,
	type JsonRpcResult,
	type Params,
	type RequestId,
	readMessage,
	writeResponse,
} from './protocol/json-rpc.js';
export { lostResponse, orphanedStreamEvent } from './protocol/orphaned-stream.js';
export { canBePrimed, hasBatches } from './protocol/protocol-versions.js';
export type { Responder } from './protocol/responder.js';
export { parseStreamName } from './protocol/routed-ids.js';
export { ServerInlet } from './protocol/server-inlet.js';
export { endEvent, lastMessageEvent, messageEvent, openingComment, primingEvent } from './protocol/sse.js';
export { type Audiences, admission } from './session/audiences.js';
export type { LiveServer } from './session/live-server.js';
export type { LocalSession } from './session/local-session.js';
export { rereadEvents } from './session/notifier.js';
export { type BegunOperation, errorOf, Operations } from './session/operations.js';
export { OwnedRecords } from './session/owned-records.js';
export { isSessionId, randomId } from './session/session-id.js';
export type { SessionHost } from './session-host.js';
