import { InMemoryInfoSessionManager, InMemoryStreamSessionManager } from '@holdfast/session-manager';
import { ManualClock } from '@holdfast/session-manager/testing';
import type { Door } from '../../../../test/support/doors.ts';
import { SseRig, type SseRigOptions } from './sse-rig.ts';

/** Nodes in one process: they share managers and a clock that stands still, and nothing else. */
export interface SseNodes {
	readonly a: SseRig;
	readonly b: SseRig;
	readonly c: SseRig;
	readonly clock: ManualClock;
	readonly streams: InMemoryStreamSessionManager;
	readonly info: InMemoryInfoSessionManager;
}

export async function openSseNodes(door: Door, options: SseRigOptions = {}): Promise<SseNodes> {
	const clock = new ManualClock(1_000_000);
	const streams = new InMemoryStreamSessionManager({ clock });
	const info = new InMemoryInfoSessionManager({ clock });
	const open = () => SseRig.open(door, { ...options, clock, sessionManager: { streams, info } });
	return { a: await open(), b: await open(), c: await open(), clock, streams, info };
}
