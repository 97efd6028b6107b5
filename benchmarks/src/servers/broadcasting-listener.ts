import type { RequestListener } from 'node:http';

/** A server that can tell every open session stream that the list of tools changed. */
export type BroadcastingListener = RequestListener & { broadcast(): unknown };

/** Returns whether a listener can broadcast. */
export function canBroadcast(listener: RequestListener): listener is BroadcastingListener {
	return 'broadcast' in listener;
}
