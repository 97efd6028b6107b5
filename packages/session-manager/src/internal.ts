// For the other Holdfast packages only: these exports may change in any release.

export { knowInEveryCopy } from './contract/in-every-copy.js';
export { clientInfoOf } from './contract/info-session-manager.js';
export { lazy } from './contract/lazy.js';
export { principalLimit, roomFor, storeLimit } from './contract/limit-errors.js';
export { parseShared, sharedValue } from './contract/shared-json.js';
export { deadline } from './contract/system-clock.js';
export { toError } from './contract/to-error.js';
export { visitInTurns } from './contract/visit-in-turns.js';
export { checkOptions, type OptionSchemas, shown } from './options/check-options.js';
export {
	bytes,
	callback,
	clock,
	count,
	flag,
	group,
	hasMethods,
	isPath,
	ms,
	option,
	path,
	positive,
	positiveBytes,
	required,
	text,
	word,
} from './options/option-kinds.js';
export type { SessionHome } from './session/session.js';
export { decodeStateValue, encodeStateValue } from './session/state-value.js';
export { type Unwritten, WriteBehind } from './session/write-behind.js';
