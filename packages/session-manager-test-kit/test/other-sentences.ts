/** The sentence says what something is, and promises nothing. */
export const NAMES = 'a name';

/** The sentence binds whoever calls a manager, or passes something to it. */
export const CALLERS = 'the caller’s';

/** The base class keeps the promise for every manager, or managers are free in it. */
export const FREE = 'nothing to prove';

/**
 * The sentences of the contracts that are no case's promise, each with the case that still tests it or why none does.
 */
export const otherSentences: Readonly<Record<string, string>> = {
	'The longest event, in bytes of UTF-8, that the manager keeps for clients that come back (default: no limit).': FREE,
	'Transports write a longer one straight to the connection where there is one, so it cannot be resumed.': CALLERS,
	'The writable end of a stream to one client, in the shape of a `ReadableStreamDefaultController<Uint8Array>`.': NAMES,
	'Writes bytes; throws when the client is gone.': 'stream/vanished-client',
	'Other controllers may receive the same bytes: they must not be changed or transferred.': CALLERS,
	'Closes the stream after everything that was enqueued.': 'stream/end-of-request',
	'Closes the stream at once and drops what was enqueued but not read.': 'stream/slow-reader',
	'The backpressure of the client: positive while it keeps up; `null` when it is gone.': 'stream/slow-reader',
	'How a stream is opened.': NAMES,
	'How a stream continues:': NAMES,
	'The connection between a controller and its stream.': NAMES,
	'Reports that the client of this controller is gone.': 'stream/has-until-detached',
	'The last line of the event that ends a request stream: an SSE comment, which clients ignore.':
		'stream/end-of-request',
	'Returns whether the event `data` ends its request stream: whether its last line is {@link END_OF_STREAM}.':
		'stream/end-of-request',
	'Delivers events to streams, whichever node holds them.': NAMES,
	'A subclass must implement `create`, `delete`, `has` and `send`.': FREE,
	'With these alone it works with every transport, without resuming.': FREE,
	'A subclass that declares {@link resumable} must keep everything that the options and return values promise.':
		'stream/resumable',
	'Ids are those of stream-id.ts: session streams, request streams and addresses.': 'stream/targeted',
	'Called with errors that occur in the background.': FREE,
	'Whether the manager keeps history.': 'stream/resumable',
	"Returns the position after the newest broadcast, for {@link StreamCreateOptions.since}: an opaque text, which names a place in the log of the store and no time, so that nodes' clocks may differ.":
		'stream/broadcasts-since',
	"Transports keep it in the session's record.": CALLERS,
	'A manager that does not override this method returns none, and session streams begin when they are opened.': FREE,
	'A backend that keeps targeted messages and broadcasts on different servers need not order one against the other.':
		FREE,
	'Idempotent.': 'info/close',
	'Says that session `id` ends in `ms` milliseconds: then nothing is kept of its streams any more.': FREE,
	'The newest call counts.': FREE,
	'Transports call it when a session is first used, and before it lives longer than they said.': CALLERS,
	'A subclass that does not override this method keeps what the retention says.': FREE,

	'A session that subscribes or unsubscribes meanwhile may or may not be among them.': FREE,
	'The largest state of one session: all values with their keys, in bytes of UTF-8.': 'state/limit',
	"One value of a session's state, as stored, with the version that a compare-and-set names.": NAMES,
	'Takes the lease `name` for `holder`, or renews it, for `ttlMs` milliseconds from now.': 'info/lease-lapses',
	'A subclass that does not override this method gives the lease to everyone.': FREE,
	'Encoded as UTF-8, lone surrogates are all the same, unless `encodableText` has kept them apart.':
		'info/lone-surrogates',
	'A lease that `holder` does not have stays.': 'info/lease-released',
	'Announces a node for `ttlMs` milliseconds from now, in place of what it announced before; 0 withdraws it.':
		'info/nodes',
	'A subclass that does not override this method keeps no nodes.': FREE,
	'A node as it announces itself to the others and to operators.': NAMES,
	'The random name that the node gave itself at start.': 'info/nodes',
	'The version of the program that runs there.': 'info/nodes',
	'Where the node can be reached, if it says so.': 'info/nodes',
	'When the node started, in milliseconds since the Unix epoch by its own clock.': 'info/nodes',
	'`draining` once the node takes no new clients.': 'info/nodes',
	'What the node holds, such as `sessions`.': 'info/nodes',
	'One page of a scan.': NAMES,
	'Stores what a session is: its record, its subscriptions and its state.': NAMES,
	'A subclass that does not override this method keeps nothing.': FREE,
	'A subclass that does not override this method keeps no ended sessions.': FREE,
	'Returns how many it freed.': 'info/remove-expired',
	'Transports call it every minute, on one node at a time, for engines that do not expire data by themselves.': CALLERS,
	'Other subclasses need not override it.': FREE,
	'The inherited implementation scans every session, and finds no record that `scan` does not return.': FREE,
	'A store may list a session for a moment after its end.': FREE,
	"Returns the `clientInfo` of the record's `initialize`.": FREE,
	"Returns the client capabilities of the record's `initialize`.": FREE,

	'A value that JSON can represent.': NAMES,
	'A JSON object.': NAMES,
	'The `clientInfo` of `initialize` (Implementation in the schema).': NAMES,
	"The `capabilities` of `initialize`, the client's or the server's.": NAMES,
	'The levels of `logging/setLevel` (RFC 5424), least severe first.': 'info/set-log-level',
	'Returns whether `value` is a level of `logging/setLevel`.': FREE,
	'A level of `logging/setLevel`.': NAMES,
	'The status of a living session: `opening` until the server has responded to `initialize`, where the session begins before that; `suspended` while no node holds it in memory; otherwise `active`.':
		CALLERS,
	'The stored data of a session, except its subscriptions and its state.': 'info/record-round-trip',
	'Times are milliseconds since the Unix epoch.': 'info/expires-idle',
	'The owner of the session; absent for an anonymous session.': 'info/record-round-trip',
	'The address that the session was created from; absent where its principal is verified, or the address unknown.':
		'info/record-round-trip',
	'A subclass that does not override this method ends nothing without `principal`, and reads all sessions of a principal to find the one.':
		FREE,
	'The claims of the verified token, kept for tools to read.': 'info/record-round-trip',
	'The negotiated protocol version.': 'info/record-round-trip',
	"The complete `params` of the client's `initialize`: any node can recreate the live server by replaying them.":
		'info/record-round-trip',
	'The capabilities that the server declared in its `initialize` response.': 'info/record-round-trip',
	'When the session was last used, as precisely as touches are throttled.': 'info/touch',
	'Absent: `active`.': 'info/status',
	'The transport that serves the session; absent: Streamable HTTP.': 'info/record-round-trip',
	'Where the broadcasts stood when the session began (`StreamSessionManager.position`).': 'info/record-round-trip',
	'A session that has ended.': NAMES,
	'When the session ended, in milliseconds since the Unix epoch.': 'info/ended-record',
	'Why the session ended: `expired`, or the given reason.': 'info/expired-kept',
	'Limits on the number of sessions.': NAMES,
	'What the record is where it is no session, in a word such as `task`; absent: a session.': 'info/kind',
	'A subclass that does not know this field keeps such a record as a session.': FREE,
	'The fields of a record that can change; an absent field stays as it is.': 'info/update',
	'See {@link patched}.': NAMES,
	'Replaces `clientInfo` in `initializeParams`, and leaves the other members as they are.': 'info/set-client-info',
	'Replaces `capabilities` in `initializeParams`, and leaves the other members as they are.': 'info/set-capabilities',
	'Returns the status of a living session.': FREE,
	'Returns when `record` expires if it is not used again; `undefined`: never.': FREE,
	'Returns whether `record` has expired at `now`.': FREE,
};
