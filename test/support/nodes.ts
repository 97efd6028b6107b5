import { InMemoryInfoSessionManager, InMemoryStreamSessionManager } from '@holdfast/session-manager';
import { ManualClock } from '@holdfast/session-manager/testing';
import type { Door } from './doors.ts';
import { Rig, type RigOptions, TestClient } from './rig.ts';

/** Two nodes in one process: they share managers and a clock that stands still, and nothing else. */
export interface Nodes {
	readonly a: Rig;
	readonly b: Rig;
	readonly clock: ManualClock;
	readonly streams: InMemoryStreamSessionManager;
	readonly info: InMemoryInfoSessionManager;
}

export async function openNodes(door: Door, options: RigOptions = {}): Promise<Nodes> {
	const clock = new ManualClock(1_000_000);
	const streams = new InMemoryStreamSessionManager({ clock });
	const info = new InMemoryInfoSessionManager({ clock });
	const shared = { clock, sessionManager: { streams, info } };
	const open = () => Rig.open(door, { ...options, ...shared });
	return { a: await open(), b: await open(), clock, streams, info };
}

/** The same client, talking to another node. */
export function at(node: Rig, { id, protocolVersion, result }: TestClient): TestClient {
	return new TestClient(node, id, protocolVersion, result);
}
