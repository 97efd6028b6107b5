import { ConversationError } from '../contract/conversation-error.js';
import { jsonOf } from '../reading/well-formed.js';

const DAY_MS = 24 * 60 * 60 * 1000;

/** The bounds of conversations. Sizes are those of JSON in UTF-8. */
export interface ConversationLimits {
	/**
	 * The most bytes of values in a context. Beyond it, the fifth that was unused for longest moves to the archive.
	 *
	 * @default 10,000,000
	 */
	readonly maxContextBytes: number;
	/**
	 * The most bytes of one value in a context.
	 *
	 * @default 1,048,576
	 */
	readonly maxValueBytes: number;
	/**
	 * The most bytes of one message.
	 *
	 * @default 1,048,576
	 */
	readonly maxMessageBytes: number;
	/**
	 * The most messages in the working history. Beyond it, the oldest move to the archive.
	 *
	 * @default 1,000
	 */
	readonly maxHistory: number;
	/**
	 * How many messages move to the archive at once.
	 *
	 * @default 200
	 */
	readonly archiveBatch: number;
	/**
	 * The most discoveries of a conversation.
	 *
	 * @default 1,000
	 */
	readonly maxDiscoveries: number;
	/**
	 * The most members of a conversation, former ones included, and the most share links.
	 *
	 * @default 100
	 */
	readonly maxMembers: number;
	/**
	 * The most bytes of everything in a conversation, archive included; several nodes may exceed it by a message each.
	 *
	 * @default 100,000,000
	 */
	readonly maxConversationBytes: number;
	/**
	 * The most active conversations of one person; 0: unlimited.
	 *
	 * @default 100
	 */
	readonly maxConversationsPerPerson: number;
	/**
	 * The most conversations that one person owns, suspended and ended ones included; 0: unlimited.
	 *
	 * @default 1,000
	 */
	readonly maxConversationsKeptPerPerson: number;
	/**
	 * The most conversations in the store that have not ended; 0: unlimited.
	 *
	 * @default 10,000
	 */
	readonly maxConversations: number;
	/**
	 * How long an unused conversation is kept, in milliseconds; 0: for ever.
	 *
	 * @default 90 days
	 */
	readonly unusedTtlMs: number;
}

/** The limits that hold unless others are given. */
const DEFAULT_LIMITS: ConversationLimits = Object.freeze({
	maxContextBytes: 10_000_000,
	maxValueBytes: 1_048_576,
	maxMessageBytes: 1_048_576,
	maxHistory: 1_000,
	archiveBatch: 200,
	maxDiscoveries: 1_000,
	maxMembers: 100,
	maxConversationBytes: 100_000_000,
	maxConversationsPerPerson: 100,
	maxConversationsKeptPerPerson: 1_000,
	maxConversations: 10_000,
	unusedTtlMs: 90 * DAY_MS,
});

/** The limits of which 0 means that there is none. */
const ZERO_IS_NONE = ['maxConversationsPerPerson', 'maxConversationsKeptPerPerson', 'maxConversations', 'unusedTtlMs'];

/** Returns the limits with defaults. Throws `TypeError` where one cannot work. */
export function limitsOf(given: Partial<ConversationLimits>): ConversationLimits {
	const limits = { ...DEFAULT_LIMITS };
	for (const name of Object.keys(DEFAULT_LIMITS) as (keyof ConversationLimits)[]) {
		const value = given[name];
		if (value === undefined) continue;
		const least = ZERO_IS_NONE.includes(name) ? 0 : 1;
		if (!Number.isSafeInteger(value) || value < least) {
			throw new TypeError(`${name} must be a whole number of at least ${least}; it is ${value}.`);
		}
		limits[name] = value;
	}
	return limits;
}

/** Throws where a text is empty, too long, or not text. `name` is what the caller calls it. */
export function checkText(name: string, text: unknown, maxLength: number, minLength = 1): asserts text is string {
	if (typeof text !== 'string' || text.length < minLength || text.length > maxLength || /\p{Surrogate}/u.test(text)) {
		throw new ConversationError('invalid', `${name} must be a text of ${minLength} to ${maxLength} characters.`);
	}
}

/**
 * Returns a value as JSON has it, with U+FFFD for each half of a character. Throws where it is no JSON or has more than
 * `maxBytes`.
 */
export function checkedJson<T>(name: string, value: T, maxBytes: number, advice: string): T {
	let text: string | undefined;
	try {
		text = jsonOf(value);
	} catch {
		text = undefined;
	}
	if (text === undefined) throw new ConversationError('invalid', `${name} must be a JSON value.`);
	const bytes = Buffer.byteLength(text);
	if (bytes > maxBytes) {
		throw new ConversationError('limit', `${name} has ${bytes} bytes, and may have ${maxBytes}: ${advice}`);
	}
	return JSON.parse(text);
}
