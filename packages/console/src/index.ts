export { Activity, type ActivityOptions, type Happening, type HappeningKind } from './activity.js';
export type { ConsoleDiagnosis, Diagnose } from './data/examination.js';
export type { Authorize, OneTimeToken, Operator } from './http/authorization.js';
export { OperatorConsole } from './operator-console.js';
export type { OperatorConsoleOptions } from './options.js';
export type { ConsoleAction, ConsoleConversations, ConsoleTransport } from './pages/view.js';
