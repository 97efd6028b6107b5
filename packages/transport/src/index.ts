export {
	type Authenticate,
	Authentication,
	type AuthenticationOptions,
	type AuthRefusal,
	type AuthRequest,
} from './authentication.js';
export { type Connection, FetchConnection, type Headers, NodeConnection } from './connection.js';
export type { DrainOptions } from './drain.js';
export { FetchExchange } from './fetch-exchange.js';
export { type HttpExchange, refuse, streamHeaders } from './http-exchange.js';
export { type HttpProblem, problemBody, problemOf, problems } from './http-problem.js';
export { assumedInitializeParams, type InitializeParams, readInitializeParams } from './initialize-params.js';
export {
	ErrorCode,
	isCall,
	isObject,
	isRequest,
	isRequestId,
	type JsonRpcFailure,
	type JsonRpcMessage,
	type JsonRpcNotification,
	type JsonRpcRequest,
	type JsonRpcResult,
	type Params,
	type RequestId,
	readMessage,
	writeAnswer,
} from './json-rpc.js';
export { KeepAlive } from './keep-alive.js';
export { sendLate } from './late-event.js';
export { LiveServer, toError } from './live-server.js';
export { lostAnswer, lostStreamEvent } from './lost-stream.js';
export { NodeExchange, type NodeRequest } from './node-exchange.js';
export { inBackground, NodeSession } from './node-session.js';
export { Notifier, rereadEvents } from './notifier.js';
export { type Owner, ownerOf } from './principal.js';
export {
	type ExportedSession,
	PrincipalData,
	type PrincipalExport,
	type SessionSummary,
} from './principal-data.js';
export { canBePrimed, hasBatches, SUPPORTED_PROTOCOL_VERSIONS } from './protocol-versions.js';
export type { RequestChannel } from './request-channel.js';
export { RequestGuard, type RequestGuardOptions } from './request-guard.js';
export { accepts, checkProtocolVersion } from './request-headers.js';
export type { AuthInfo, CreateServer, MessageExtra, SdkServer, SdkTransport, SendOptions } from './sdk-server.js';
export { isAtPath, ServerTransport, type ServerTransportOptions } from './server-transport.js';
export { SessionHost } from './session-host.js';
export type { SessionHostOptions, SessionHostStats } from './session-host-options.js';
export { endEvent, lastMessageEvent, messageEvent, openingComment, primingEvent, retryEvent } from './sse-frame.js';
export { formatStreamName, parseStreamName, type RequestStreamName } from './stream-name.js';
