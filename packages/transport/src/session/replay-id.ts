import { randomBytes } from 'node:crypto';
import { lazy } from '@holdfast/session-manager/internal';
import type { RequestId } from '../protocol/json-rpc.js';

// Requests that a session passes to its live server itself: what is replayed to a server made again.

/** The prefix of the ids of replayed requests; random, so that no client can use it. */
const replayPrefix = lazy(() => `holdfast:${randomBytes(9).toString('base64url')}:`);
let replays = 0;

/** Returns a new id for a replayed request. */
export function nextReplayId(): string {
	return `${replayPrefix()}${replays++}`;
}

/** Returns whether `id` is the id of a replayed request. */
export function isReplayId(id: RequestId): boolean {
	return String(id).startsWith(replayPrefix());
}
