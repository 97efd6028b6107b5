/** The sentences of the contract that have cases, as they stand in its doc comments. */
export const storePromises = Object.freeze({
	atomic:
		'A subclass must implement the abstract primitives, and each of them must be atomic across all nodes and processes that use the store.',
	unknown:
		'A conversation that was never created or was deleted is *unknown*: reads return `undefined` or nothing, writes return `false` or `undefined` and change nothing.',
	ended:
		'A conversation that has ended is read-only: writes other than `write`, `delete` and `eraseAuthor` treat it as unknown.',
	durable: 'What a write has acknowledged survives the end of the process.',
	readable: 'After every write and every erasure, all that is left can be read.',
	exact: 'Ids, keys and principals are compared exactly.',
	threeWays:
		'There are three ways not to get a conversation, and they are never confused: it is unknown; what is stored of it cannot be understood (`ConversationError` `corrupt`); the store cannot be reached (`unavailable`).',
	corrupt: 'What is corrupt is never overwritten.',
	taken: 'Returns `false` and changes nothing when the id is taken, even by a conversation that is corrupt.',
	createLimit:
		'Throws `ConversationError` `limit` when the conversation would exceed a limit, however many nodes create conversations at the same time.',
	keptLimit: 'The most conversations of one owner that there are, suspended and ended ones included;',
	read: 'Returns the head.',
	version: 'Changes with every write of the head, and never repeats while the conversation exists.',
	createdAgain:
		'A conversation that is created under the id of a deleted one has none of its versions and revisions, and its values have no version that values of the deleted one had.',
	revision: 'Changes with every write of anything: head, messages, context and discoveries.',
	write: 'Replaces the head if its version still is `version`; returns `false` otherwise.',
	writeLimit:
		'Throws `ConversationError` `limit` when it would make the conversation active and its owner has too many active ones.',
	touch: 'Records that the conversation was used at `usedAt`; an older time changes nothing.',
	delete: 'Removes everything of the conversation.',
	writeUnused: 'Writes as `write` does where the conversation was last used before `since`; returns `false` otherwise.',
	deleteUnused:
		'Deletes as `delete` does where the conversation was last used before `since`; returns `false` otherwise.',
	append:
		'However many writers append at the same time, messages are numbered from 1 without holes, and those of one call follow each other.',
	appendAs: 'Appends as `append` does where `use` allows it, and records the use;',
	archive:
		'When the working history then has more than `room.keep` messages, the oldest move to the archive, `room.batch` at a time.',
	messages: 'A message.',
	rangeBytes: 'and of these the newest that have at most `maxBytes` together, however large the newest is.',
	range: 'Returns messages of the range in ascending order, from working history and archive alike.',
	context: 'Returns the values of `keys`, or all, archived ones included, in no particular order.',
	liveContext: 'Returns the values that are not archived, in no particular order.',
	setContext:
		"Writes one value, or removes it when `write` is `undefined`, if the stored version still is `expected` (`undefined`: if there is no value; `'*'`: in any case); returns `false` otherwise.",
	contextRoom:
		'When the context would then exceed `maxBytes`, a fifth of the other values, those unused for longest, moves to the archive, again and again until there is room.',
	contextLimit: 'Throws `ConversationError` `limit` when the value alone exceeds it.',
	broughtBack: 'A value in the archive counts as stored, and writing it brings it back.',
	contextWriter:
		'With `writer`, it returns `false` unless they are owner or writer at that moment and the conversation is active.',
	touchContext: 'Records that values were used at `at`; an older time changes nothing, and unknown keys are ignored.',
	discoveries: 'Discoveries are numbered as messages are.',
	discoveryWriter:
		'With `writer`, it treats the conversation as unknown unless they are owner or writer at that moment and it is active.',
	eraseAuthor:
		'Erases what `principal` wrote: texts of messages and discoveries become {@link ERASED}, values of the context are removed, and numbers stay.',
	nothingAfter: 'Once they are no writer any more, nothing that they add as one comes after it.',
	search: 'Returns what contains every term of the request, the best first:',
	searchOrder: 'a text in which they occur more often, for its length, comes before others.',
	searchArchive: 'What is archived is found as well.',
	searchCase: 'Case and diacritics do not count.',
	searchLong: 'However long a text is, all of it is searched,',
	searchOwn: "however much others have, what is one's own is found.",
	searchWhere: 'What to search for, and where: in one conversation, or in all in which somebody takes part.',
	searchCurrent: 'A named value that holds now.',
	listFilter: 'Which conversations to list; all conditions must hold.',
	listPages:
		'A conversation that is created or deleted meanwhile may or may not appear; every other one appears exactly once.',
	searchCorrupt: 'A text that is corrupt is left out and reported to `onerror`.',
	listCorrupt: 'One that is corrupt is left out, named in `damaged`, and reported to `onerror`.',
} as const);
