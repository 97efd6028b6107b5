/**
 * What a pair of managers can do. A factory declares it; a case runs where all that it needs is declared, and what is not
 * declared is told of in every report.
 */
export const ABILITIES = Object.freeze({
	streams: 'there is a stream manager: the four verbs',
	info: 'there is an info manager: its primitives and its vocabulary',
	keepsEnded: 'ended sessions can be read for `keepEndedMs` of their record: `end` and `readEnded` are overridden',
	capacity: 'the info manager takes the `maxSessions` that `createPeers` is given: how many sessions it holds',
	history:
		'the stream manager is resumable: event ids, options and answers of `create`, request streams, addresses, ends of streams',
	limits:
		'the stream manager takes the limits that `createPeers` is given: how much history is kept, and what a client may leave unread',
	oneOrder: 'messages to one stream and messages to everyone are in one order, also where nobody waited in between',
	crossNode: 'the managers of one call of `createPeers` are nodes of their own that share a backend',
	partition: 'one node can be cut off while the others go on: `backend.cutOff` and `backend.rejoin`',
	outages: 'the backend can be cut off and come back: `backend.fail` and `backend.heal`',
	durable: 'what was stored survives a restart of the backend: `backend.restart`',
	dataLoss: 'the backend can lose its data while the managers are open: `backend.loseData`',
});

/** One of {@link ABILITIES}. */
export type Ability = keyof typeof ABILITIES;
