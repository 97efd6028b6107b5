import type { MaybePromise } from '../contract/maybe-promise.js';
import type { BrokerAttached, BrokerPosition, BrokerStart, HistorySlice, StreamPosition } from './broker-position.js';

/** The hooks of a backend that say whose a stream is and what its client missed; the base class describes them. */
export interface BrokerHooks {
	attach(
		id: string,
		token: string,
		after: BrokerStart,
		keep: boolean,
		since?: StreamPosition,
	): MaybePromise<BrokerAttached>;
	readBroadcasts(after: StreamPosition): MaybePromise<HistorySlice>;
	detach(id: string, token: string, delivered: BrokerPosition): MaybePromise<void>;
}
