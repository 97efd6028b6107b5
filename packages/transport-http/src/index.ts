export type {
	InfoSessionManager,
	LogLevel,
	Session,
	SessionState,
	StateValue,
	StreamSessionManager,
} from '@holdfast/session-manager';
export type {
	Audience,
	AudienceOf,
	Authenticate,
	AuthInfo,
	AuthRefusal,
	AuthRequest,
	CreateServer,
	CreateTwoEraServer,
	DrainOptions,
	NodeStats,
	Notifier,
	ObservedEvent,
	Observer,
	PrincipalData,
	PrincipalExport,
	SessionSummary,
} from '@holdfast/transport';
export { type ShutdownOptions, shutdown } from '@holdfast/transport';
export { HttpTransport, type HttpTransportOptions } from './http-transport.js';
export type { ResponseMode } from './post-response.js';
export type { CallContext } from './stateless/call-context.js';
export { type ChangeBus, type ChangeBusOptions, type ChangeEvent, holdfastEventBus } from './stateless/event-bus.js';
export type { CallState, Handle, HandleOptions } from './stateless/handles/handle.js';
export type { Handles } from './stateless/handles/handles.js';
export type { RequestStateOptions } from './stateless/request-states.js';
export type { StatelessOptions } from './stateless/stateless-door.js';
export type { InputRequest } from './stateless/tasks/input-abilities.js';
export type { Task } from './stateless/tasks/running-task.js';
export type { SessionTask, SessionTasks } from './stateless/tasks/session-tasks.js';
export type { TaskOptions } from './stateless/tasks/task-runner.js';
export type { RunTaskOptions, Tasks } from './stateless/tasks/tasks.js';
