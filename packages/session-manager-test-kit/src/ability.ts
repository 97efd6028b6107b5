/**
 * The abilities of a pair of managers. A factory declares them; a case runs when all the abilities it needs are
 * declared, and every report lists those that are not.
 */
export const ABILITIES = Object.freeze({
	streams: 'there is a stream manager: the four verbs',
	info: 'there is an info manager: its primitives and its vocabulary',
	keepsEnded: 'ended sessions can be read for the `keepEndedMs` of their record: `end` and `readEnded` are overridden',
	registry:
		'the info manager keeps leases and nodes: `acquireLease`, `releaseLease`, `announceNode` and `nodes` are overridden',
	capacity: 'the info manager applies the `maxSessions` that `createPeers` receives: how many sessions it holds',
	makesRoom: 'the info manager chooses itself which session ends for another: `endUnused` is overridden',
	kinds: 'the info manager tells records that have a `kind` from sessions',
	history:
		'the stream manager is resumable: event ids, options and results of `create`, request streams, addresses, ends of streams',
	limits:
		'the stream manager applies the limits that `createPeers` receives: how much history it keeps, and how much a client may leave unread',
	oneOrder: 'messages to one stream and broadcasts are in one order, even when `send` is not awaited in between',
	crossNode: 'the managers of one `createPeers` call are separate nodes that share a backend',
	partition: 'one node can be cut off while the others continue: `backend.cutOff` and `backend.rejoin`',
	outages: 'the backend can fail and recover: `backend.fail` and `backend.heal`',
	durable: 'stored data survives a restart of the backend: `backend.restart`',
	dataLoss: 'the backend can lose its data while the managers are open: `backend.loseData`',
});

/** One of {@link ABILITIES}. */
export type Ability = keyof typeof ABILITIES;
