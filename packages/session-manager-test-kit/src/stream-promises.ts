/** The promises of the stream contract, in the words of its doc comments. */
export const streamPromises = Object.freeze({
	chunk: 'Each chunk is one whole SSE event.',
	newestWins:
		'Makes `controller` the only holder of stream `id`, at once, and closes the previous one, on any node: the newest wins.',
	waiting: 'Messages that were sent while nobody held the stream are delivered first, in order.',
	delete: 'Ends stream `id` on any node: closes its controller and removes its history.',
	deleteSession: "The id of a session also ends the session's request streams.",
	unknown: 'An unknown id is not an error.',
	has: 'Returns whether a client, or for an address a listener, currently holds stream `id` on any node.',
	send: 'Delivers one SSE event to each of `ids`, or to every session stream when `ids` is `undefined`, in the order of the calls.',
	text: '`data` is the event as text, ended by a blank line; the manager may put an `id:` line before it and must not change anything else.',
	unavailable: 'Rejects with `SessionManagerError` `unavailable` when the event could not be accepted.',
	kept: 'An event for a stream that nobody holds is kept within the retention; an unknown id is not an error.',
	close: 'Closes every controller and frees what the manager opened.',
	closed: 'A resumable manager rejects later calls with `SessionManagerError` `closed`.',
	slowClient: 'The client did not read what was sent, and its stream was closed when its buffer was full.',
	lostClient: 'Without a handler they are dropped: losing a client or the store never ends the process.',
	resumable:
		'If so, it writes `id:` lines, honours {@link StreamCreateOptions}, returns a {@link StreamAttachment} from `create`, distinguishes request streams and addresses as stream-id.ts describes, and ends streams at {@link END_OF_STREAM}.',
	history: 'Whether events carry an `id:` line and can be replayed.',
	lastEventId: 'The last event id that the client saw, exactly as it sent it: delivery continues right after it.',
	prime:
		'An SSE event that is written first, under an event id of its own, from which the stream starts: a client that loses the connection before the first message can still resume.',
	primeNotKept: 'It is not stored and does not count as a message.',
	since:
		'What {@link StreamSessionManager.position} returned when the session began: a session stream that nobody has held yet begins with the broadcasts after that position; where they are lost, that is a gap.',
	delivered:
		'An event is delivered once `enqueue` has returned, read or not: a client without a last event id does not get it again.',
	unconfirmed:
		'Where the previous holder did not detach, and this node does not know how far it got, a client that takes the stream over without a last event id has a gap if anything was sent since that holder began, broadcasts included, or if it began with a gap: nobody knows what its client received.',
	sentAfterEnd: 'An event for a request stream that has ended is dropped.',
	endedForGood: 'Whoever resumes after the event that ended the stream gets `ended`, whatever is still kept.',
	ongap:
		'Called for each gap, when a stream opens and later: some events after the last event id, or some that were never written to a client, may be lost, because they exceeded the retention or the store lost its data.',
	ongapAwaited:
		'The manager awaits the result before it writes anything under a newer event id, so that a client that did not learn of the gap comes back to it; after a rejection, `create` rejects, or the stream continues later.',
	ongapAddress:
		'On an address it is called when messages may have been missed because the connection to the store was interrupted.',
	fresh: '`fresh`: no last event id was given; the stream begins with what was never written to a client;',
	resumed:
		'`resumed`: every event after the last event id was, or will be, delivered exactly once, unless {@link StreamCreateOptions.ongap} was called;',
	gapLeavesRest: 'What is left is delivered.',
	ended: '`ended`: the request stream is over and nothing is left to deliver; the controller was not used;',
	unknownRequest:
		'`unknown`: nothing is known of the request stream of the last event id, so nothing was created and the controller was not used.',
	detach:
		'The stream and its history continue without it, and a controller that has taken the stream over in the meantime is unaffected.',
	endOfStream:
		'A resumable manager closes the controller after it, on whichever node holds the stream, and returns `ended` to a client that resumes after it.',
	exactIds:
		'Session and name have up to 1,024 characters each: no look-alike, pattern or quoted form of an id names the same stream.',
	address: 'an address; all its listeners get events',
	apart: 'Therefore a request stream or an address can never be mistaken for a session, nor be spelled by a client.',
});
