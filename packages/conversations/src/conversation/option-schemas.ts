import { clock, count, hasMethods, ms, type OptionSchemas, option, word } from '@holdfast/session-manager/internal';
import { type ConversationLimits, limitsOf } from './limits.js';

/** Their values are checked where the limits are made. */
const limits = Object.fromEntries(
	Object.keys(limitsOf({})).map((name) => [name, option('a whole number', () => true)]),
) as OptionSchemas<ConversationLimits>;

/** A schema for each option of `Conversations`. */
export const conversationsSchemas = {
	...limits,
	tooManyConversations: word('refuse', 'suspend-oldest'),
	unusedConversations: word('end', 'erase'),
	shareKeys: option('a list of keys, each with id and secret', (value) => Array.isArray(value) && value.every(isKey)),
	maxCached: count,
	cacheTtlMs: ms,
	touchIntervalMs: ms,
	sweepIntervalMs: ms,
	sessions: option('the principals of a transport, with the methods export and erase', (value) =>
		hasMethods(value, ['export', 'erase']),
	),
	observe: option('an observer, or a list of them', (value) => [value].flat().every(isObject)),
	clock,
};

function isKey(value: unknown): boolean {
	return isObject(value) && 'id' in value && 'secret' in value;
}

function isObject(value: unknown): value is object {
	return typeof value === 'object' && value !== null;
}
