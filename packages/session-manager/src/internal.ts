// For the other Holdfast packages only: these exports may change in any release.
export { clientInfoOf } from './contract/info-session-manager.js';
export { lazy } from './contract/lazy.js';
export { toError } from './contract/to-error.js';
export type { SessionHome } from './session/session.js';
export { decodeStateValue, encodeStateValue } from './session/state-value.js';
export { type Unwritten, WriteBehind } from './session/write-behind.js';
