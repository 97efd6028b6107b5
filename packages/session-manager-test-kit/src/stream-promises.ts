/** What the stream contract promises, in the words of its doc comments. */
export const streamPromises = Object.freeze({
	chunk: 'Each chunk holds one whole SSE event.',
	newestWins:
		'Attaches `controller` as the one holder of stream `id`, at once, and closes the one that held it before, on any node: the newest wins.',
	waiting: 'Messages sent while nobody held the stream are delivered first, in order.',
	delete: 'Ends stream `id` on any node: its controller is closed and its history forgotten.',
	deleteSession: "A session's id ends its request streams too.",
	unknown: 'An unknown id is no error.',
	has: 'Whether a client, or for an address a listener, holds stream `id` on any node now.',
	send: 'Delivers one SSE event to each of `ids`, or to every session stream where `ids` is `undefined`, in the order of the calls.',
	text: '`data` is the event as text, ended by a blank line; the manager may put an `id:` line before it and touches nothing else.',
	unavailable: 'Rejects with `SessionManagerError` `unavailable` when the event could not be taken.',
	kept: 'An event for a stream that nobody holds is kept for the retention; an unknown id is no error.',
	close: 'Closes every controller and frees what the manager opened.',
	closed: 'A resumable manager refuses what comes later with `SessionManagerError` `closed`.',
	slowClient: 'A client did not read what was sent to it, and its stream was closed at the bound.',
	lostClient: 'Unset, they are dropped: a lost client or store ends no process.',
	resumable:
		'Whether the manager keeps history: it then writes `id:` lines, honours {@link StreamCreateOptions}, answers a {@link StreamAttachment} from `create`, keeps request streams and addresses apart as stream-id.ts tells, and ends streams at {@link END_OF_STREAM}.',
	history:
		'Whether events get an `id:` line and can be asked for again (default `true` where the manager is {@link StreamSessionManager.resumable}).',
	lastEventId: 'The last event id that the client saw, exactly as it sent it: delivery continues right after it.',
	prime:
		'An SSE event written before anything else, under an event id of its own from which the stream starts, so that a client that loses the connection before the first message can still resume.',
	primeNotKept: 'It is not kept, and counts as no message.',
	since:
		'When the session began, in milliseconds since the Unix epoch: a session stream that nobody ever held begins with the broadcasts after that.',
	ongap:
		'Called when events may have been lost while the stream was open, because the store lost them or dropped them past the retention.',
	ongapAwaited:
		'What it answers is awaited before anything under a newer event id is handed over, so that a client that did not hear of the gap comes back to it; when it rejects, the stream is opened or continued later.',
	ongapAddress:
		'On an address: when messages may have been missed, because the connection to the store was lost for a while.',
	fresh: '`fresh`: no last event id was given; it begins with what was never handed to a client;',
	resumed: '`resumed`: every event after the last event id was, or will be, delivered exactly once;',
	gap: '`gap`: events after the last event id, or that were never handed to a client, may be lost (older than the retention, or of a store that lost its data); what is left is delivered;',
	ended: '`ended`: the request stream is over and nothing is left to deliver; the controller was not used.',
	detach:
		'The stream and its history go on without it; a controller that has taken the stream over meanwhile is untouched.',
	endOfStream:
		'A resumable manager closes the controller after it, on whichever node holds it, and answers `ended` to whoever resumes after it.',
	exactIds:
		'An id is exactly its characters, up to 1,024 of session and name each: no look-alike, pattern or quotation of it names the same stream.',
	address: 'an address; every listener hears it',
	apart: 'So a request stream and an address can never be taken for a session, nor be spelled by a client.',
});
