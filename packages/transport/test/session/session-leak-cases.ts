import { InMemoryInfoSessionManager, InMemoryStreamSessionManager } from '@holdfast/session-manager';
import { ManualClock } from '@holdfast/session-manager/testing';
import type { HttpTransport } from '@holdfast/transport-http';
import { describe, expect, it } from 'vitest';
import { handleDoor } from '../../../../test/support/doors.ts';
import { eventually } from '../../../../test/support/eventually.ts';
import { heapInUse } from '../../../../test/support/heap-in-use.ts';
import { Rig } from '../../../../test/support/rig.ts';
import type { Sdk, Tool } from '../../../../test/support/servers.ts';

const IDLE_TTL_MS = 60_000;
/** Longer than any session lives, and than anything is kept for clients that come back. */
export const LONG_MS = 3_600_000;
export const MEBIBYTE = 1024 * 1024;

export const nothing = {
	transport: { sessions: 0, liveServers: 0, requestsInFlight: 0, requestsWaiting: 0, connections: 0, bodyBytes: 0 },
	// What is left are the node's own address and that of every node.
	streams: { streams: 0, listeners: 2, sessions: 0, events: 0 },
	info: { sessions: 0, records: 0, subscriptions: 0, stateValues: 0, leases: 0, bytes: 0 },
};

/** Managers and options of one node whose time is the test's. */
export function makeNode() {
	const clock = new ManualClock(1_000_000);
	const streams = new InMemoryStreamSessionManager({ clock });
	const info = new InMemoryInfoSessionManager({ maxSessions: 0, clock });
	const stats = (transport: HttpTransport) => ({
		transport: transport.stats(),
		streams: streams.stats(),
		info: info.stats(),
	});
	return { clock, streams, stats, options: { clock, idleTtlMs: IDLE_TTL_MS, sessionManager: { streams, info } } };
}

/** Runs `work` for each number below `count`, `parallel` at a time. */
export async function times(count: number, parallel: number, work: (index: number) => Promise<void>): Promise<void> {
	let next = 0;
	const worker = async () => {
		while (next < count) await work(next++);
	};
	await Promise.all(Array.from({ length: parallel }, worker));
}

/** Leaves every trace that a session can leave outside itself. */
const remember: Tool = async ({ session, here, outside }) => {
	await session.state.set('seen', 1n);
	session.signal.addEventListener('abort', () => {});
	await here.log('info', 'on the call');
	await outside.log('info', 'on the session');
	return 'remembered';
};

/**
 * What is left after many sessions with servers of one SDK. Each SDK is a file of its own: they can run at the same
 * time.
 */
export function describeLeaks(sdk: Sdk): void {
	describe(`with servers of ${sdk.name}, after sessions came and went over HTTP`, () => {
		it.each(['DELETE', 'expiry', 'disconnect and expiry', 'termination by the server'] as const)(
			'by %s, every count is zero and the heap is back',
			async (end) => {
				const visit = async (sessions: number) => {
					const node = makeNode();
					const rig = await Rig.open(handleDoor, { sdk, tools: { remember }, ...node.options });
					await times(sessions, 16, async () => {
						const client = await rig.session();
						const stream = await client.get();
						await client.request('resources/subscribe', { uri: 'a://1' });
						await client.ask('remember');
						await stream.message(0);
						if (end === 'DELETE') await client.delete();
						else if (end === 'termination by the server') await rig.transport.terminate(client.id, 'enough');
						else if (end === 'disconnect and expiry') stream.drop();
					});
					node.clock.advance(LONG_MS);
					await eventually(() => node.stats(rig.transport)).toEqual(nothing);
					expect(rig.errors).toEqual([]);
					// What sockets hold is not the transport's.
					await rig.door.close();
					rig.made.length = 0;
					return { node, rig };
				};
				const warm = await visit(100);
				const before = await heapInUse();
				const { node, rig } = await visit(400);
				// One server alone takes tens of kilobytes: 400 that stay would be many times this.
				expect((await heapInUse()) - before).toBeLessThan(2 * MEBIBYTE);
				for (const { transport } of [warm.rig, rig]) await transport.close();
				expect(node.streams.stats().listeners).toBe(0);
			},
		);
	});
}
