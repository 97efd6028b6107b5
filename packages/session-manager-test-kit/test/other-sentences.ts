/** It says what something is, and promises nothing. */
export const NAMES = 'a name';

/** It binds whoever calls a manager, or hands something to it. */
export const CALLERS = 'the caller’s';

/** The base class keeps it for every manager, or it is free to a manager. */
export const FREE = 'nothing to prove';

/**
 * The sentences of the contracts that no case has as its promise: the case that tries them all the same, or why none
 * does.
 */
export const otherSentences: Readonly<Record<string, string>> = {
	'The end of a channel to one client: what a `ReadableStreamDefaultController<Uint8Array>` offers.': NAMES,
	'Hands over bytes; throws when the client is gone.': 'stream/vanished-client',
	'Other controllers may be handed the same bytes: they must not be changed or transferred.': CALLERS,
	'Ends the channel after what was enqueued.': 'stream/end-of-request',
	'Ends the channel at once and drops what was enqueued but not read.': 'stream/slow-reader',
	'Room before the channel asks for less: positive while the client keeps up; `null` when it is gone.':
		'stream/slow-reader',
	'How a stream is to be opened.': NAMES,
	'A manager may call it too when it opens a stream with a `gap`.': FREE,
	'How a stream continues:': NAMES,
	"A controller's place in a manager.": NAMES,
	'Says that the client of this controller is gone.': 'stream/has-until-detached',
	'The last line of an event that ends its request stream: an SSE comment, invisible to clients.':
		'stream/end-of-request',
	'Whether the event `data` ends the request stream that it is sent to: whether {@link END_OF_STREAM} is its last line.':
		'stream/end-of-request',
	'How to reach a stream, wherever it is held.': NAMES,
	'A subclass must implement `create`, `delete`, `has` and `send`; one that does nothing but that works with every transport, without resuming.':
		FREE,
	'A subclass that declares {@link resumable} keeps all that the options and return values promise.':
		'stream/resumable',
	'Ids are those of stream-id.ts: session streams, request streams and addresses.': 'stream/targeted',
	'Told of failures in the background.': FREE,
	'Where one server keeps the messages to one and another those to everyone, there may be no order between the two.':
		FREE,
	'Idempotent.': 'info/close',

	"All values of one session's state together, keys included, in bytes of UTF-8.": 'state/limit',
	"One value of a session's state, as stored, with the version that a compare-and-set names.": NAMES,
	'One page of a scan.': NAMES,
	'What a session is: its record, its subscriptions, its state.': NAMES,
	'A subclass that does not override this keeps nothing.': FREE,
	'A subclass that does not override this keeps none.': FREE,
	'Answers how many.': 'info/remove-expired',
	'For engines that do not do so by themselves: transports call it every minute, on one node at a time.': CALLERS,
	'A subclass that does not override this needs no help.': FREE,
	'What a subclass inherits looks at every session.': FREE,
	'The client of `record`, as it named itself in `initialize`.': FREE,
	'What the client of `record` declared in `initialize`.': FREE,

	'A value that JSON can carry.': NAMES,
	'A JSON object.': NAMES,
	'`clientInfo` of `initialize` (Implementation in the schema).': NAMES,
	"`capabilities` of `initialize`, client's or server's.": NAMES,
	'Levels of RFC 5424, as `logging/setLevel` has them, least severe first.': 'info/set-log-level',
	'Whether `value` is a level of `logging/setLevel`.': FREE,
	'A level of `logging/setLevel`.': NAMES,
	'Where a living session is in its life: `opening` until `initialize` is answered, where the session begins before that; `suspended` while no node keeps anything of it in memory; otherwise `active`.':
		CALLERS,
	'What is stored of a session, subscriptions and state apart.': 'info/record-round-trip',
	'Times are milliseconds since the Unix epoch.': 'info/expires-idle',
	'Who the session belongs to; absent for an anonymous session.': 'info/record-round-trip',
	'What the verified token said, kept for tools to read.': 'info/record-round-trip',
	'The revision that was negotiated.': 'info/record-round-trip',
	"The `params` of the client's `initialize`, whole: any node can make the live server again by replaying it.":
		'info/record-round-trip',
	'What the server declared in its answer to `initialize`.': 'info/record-round-trip',
	'When the session was last used, as exact as touches are throttled.': 'info/touch',
	'Absent: `active`.': 'info/status',
	'The transport that serves the session; absent: Streamable HTTP.': 'info/record-round-trip',
	'A session that is over.': NAMES,
	'When it ended, in milliseconds since the Unix epoch.': 'info/ended-record',
	'Why it ended: `expired`, or the reason that was given.': 'info/expired-kept',
	'How many sessions there may be.': NAMES,
	'Living sessions of one principal; absent: any number.': 'info/principal-limit',
	'What may change in a record after it was made; a field that is absent stays as it is.': 'info/update',
	'Where a living session is in its life.': FREE,
	'When `record` expires if nobody uses it; `undefined`: never.': FREE,
	'Whether `record` has expired at `now`.': FREE,
};
