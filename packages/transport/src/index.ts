export type { DrainOptions } from './drain.js';
export type { Authenticate, AuthenticationOptions, AuthRefusal, AuthRequest } from './http/authentication.js';
export type { RespondContext } from './http/fetch-http.js';
export type { RequestGuardOptions } from './http/request-guard.js';
export type { AuditNote, ObservedEvent, Observer, Operation, StreamKind } from './node/observer.js';
export type { NodeStats, ServerTransportOptions, SessionOptions } from './options.js';
export { SUPPORTED_PROTOCOL_VERSIONS } from './protocol/protocol-versions.js';
export type {
	AuthInfo,
	CreateServer,
	CreateTwoEraServer,
	MessageExtra,
	SdkServer,
	SdkTransport,
	SendOptions,
} from './protocol/sdk.js';
export { ServerTransport } from './server-transport.js';
export type { Audience, AudienceOf } from './session/audiences.js';
export type { Notifier } from './session/notifier.js';
export type {
	ExportedRecord,
	ExportedSession,
	ExportedState,
	PrincipalData,
	PrincipalExport,
	SessionSummary,
} from './session/principal-data.js';
export { type ShutdownOptions, shutdown } from './shutdown.js';
