/** A message that a backend passes to a node for a channel: the id of a stream, or {@link BROADCAST_CHANNEL}. */
export type BrokerMessage =
	/** An event was appended and must be delivered. On an address its offset has no meaning. */
	| { readonly type: 'event'; readonly offset: number; readonly data: string }
	/** The stream has a new holder, the one whose `attach` had this `order`. */
	| { readonly type: 'taken'; readonly order: number }
	/** The stream is over. */
	| { readonly type: 'over' };

/** The channel of events for every session stream. */
export const BROADCAST_CHANNEL = ' ';
