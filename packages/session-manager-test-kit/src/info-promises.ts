/** What the info contract promises, in the words of its doc comments. */
export const infoPromises = Object.freeze({
	create: 'Stores a new session.',
	taken: '`false` when the id is taken, also by an ended session that is kept: nothing is changed then.',
	read: 'The record of session `id`, in one round trip.',
	limits:
		'Throws `SessionManagerError` `principal-limit`, or `limit` where the store is full, when the session would be one too many, however many nodes create at the same time.',
	status:
		'`false` when the session is unknown, or, where `from` is given, when its status is another: of several that change a status at the same time, one does.',
	end: 'Ends a session at time `at`: it is unknown from then on and its subscriptions are gone; record and state are kept for `keepEndedMs` of the record, then nothing is left.',
	expires: 'A session that expires ends the same way.',
	ended: 'A session that has ended and is kept; its state can still be read, and not written.',
	sessionsOf: 'The ids of the sessions of a principal, ended ones that are kept included, in no order.',
	stateLimit: "Throws `SessionManagerError` `limit` when the session's state would pass {@link MAX_STATE_BYTES}.",
	update: 'Changes the given fields and no other.',
	touch: 'Says that the session was used at `usedAt`; an older time than the stored one changes nothing.',
	delete: 'Removes the record, every subscription and all state, also of an ended session that is kept.',
	atomic:
		'A subclass implements the abstract primitives; each of them is atomic, whatever other nodes do at the same time.',
	unknown:
		'A session that was never made, was deleted or has expired is *unknown*: reads answer `undefined` or nothing, writes answer `false` and change nothing, so a deleted session never comes back.',
	unavailable: 'A store that cannot be reached rejects with `SessionManagerError` `unavailable`.',
	idle: 'The session expires when it was not used for so long; absent: never.',
	endsAt: 'The session expires then, used or not; absent: never.',
	computedOnce: "Of nodes that compute at the same time, the first one's value counts for all.",
	valueTypes: 'A value is read back as the type that was written.',
	value: "One value of the session's state.",
	subscribe: 'Subscribes the session to a resource; a second time is the same as once.',
	unsubscribe: 'Ends a subscription.',
	subscribers: 'The ids of the sessions that are subscribed to exactly `uri`, in no order.',
	subscribed: 'The resources that the session is subscribed to, in no order.',
	listState: "The keys of the session's state with their values, in no order.",
	writeState:
		"Writes one value, or removes it where `value` is `undefined`, if the stored version is still `expected` (`undefined`: if there is no value; `'*'`: whatever there is).",
	version: 'Changes with each write of this key, and is never used twice for it while the session lives.',
	pages: 'The sessions of the store, in pages of about `limit`.',
	scan: 'Sessions that come or go meanwhile may or may not be among them; every other is, once.',
	clientInfo: 'What the client said of itself in `initialize`.',
	capabilities: 'What the client can do.',
	exact:
		'Ids, resources and keys are exactly their characters: no look-alike, pattern or quotation of one names another.',
	noLostChange: 'Sets `key` to what `change` makes of its value, so that no concurrent change is lost.',
});
