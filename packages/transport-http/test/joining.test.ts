import {
	InMemoryInfoSessionManager,
	InMemoryStreamSessionManager,
	SessionManagerError,
} from '@holdfast/session-manager';
import {
	EVERY_NODE,
	nodeAddress,
	type StreamController,
	type StreamCreateOptions,
} from '@holdfast/session-manager/custom';
import { ManualClock } from '@holdfast/session-manager/testing';
import { describe, expect, it } from 'vitest';
import { settle } from '../../../test/support/deadline.ts';
import { type Door, doors } from '../../../test/support/doors.ts';
import { eventually } from '../../../test/support/eventually.ts';
import { initializeMessage, postHeaders, Rig } from '../../../test/support/rig.ts';
import { v2McpServer } from '../../../test/support/servers.ts';
import { callTool } from '../../../test/support/stateless-request.ts';

/** An engine that expires nothing by itself. */
class NeedsHelp extends InMemoryInfoSessionManager {
	cleanUps = 0;

	override removeExpired(): number {
		this.cleanUps++;
		return 0;
	}
}

/** A broker that is away at times, or takes its time. */
class Streams extends InMemoryStreamSessionManager {
	isAway = false;
	attempts = 0;
	/** What a node that attaches waits for. */
	slow: Promise<void> | undefined;

	override create(id: string, controller: StreamController, options?: StreamCreateOptions) {
		this.attempts++;
		if (this.isAway) throw new SessionManagerError('unavailable', 'The broker is away.');
		const create = () => super.create(id, controller, options);
		return this.slow === undefined ? create() : (this.slow.then(create) as unknown as ReturnType<typeof create>);
	}
}

/** A node on which no session is opened, and the store that it shares with others. */
async function open(door: Door) {
	const clock = new ManualClock(1_000_000);
	const info = new NeedsHelp({ clock });
	const streams = new Streams({ clock });
	const options = { sdk: v2McpServer, sessions: 'off', stateless: {}, clock } as const;
	const rig = await Rig.open(door, { ...options, sessionManager: { info, streams } });
	return { rig, clock, info, streams };
}

const call = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'echo', arguments: { text: 'hello' } } };
const first: readonly (readonly [string, (rig: Rig) => Promise<{ status: number }>])[] = [
	['a call of 2026-07-28', (rig) => callTool(rig, 'echo', { text: 'hello' })],
	['a call of 2025-11-25 without a session', (rig) => rig.post(call)],
	['an initialize that opens no session', (rig) => rig.post(initializeMessage())],
	['a request that is refused', (rig) => rig.send({ method: 'GET', headers: postHeaders })],
];

describe.each(doors)('a node without sessions, through $name', (door) => {
	it.each(first)('is one of the nodes, and cleans up, from %s on', async (_what, request) => {
		const { rig, clock, info } = await open(door);
		expect(info.nodes()).toEqual([]);
		await request(rig);
		await eventually(() => info.nodes()).toMatchObject([{ id: rig.transport.nodeId, state: 'ready' }]);
		clock.advance(60_000);
		await eventually(() => info.cleanUps).toBe(1);
	});

	it('serves while the store is away, joins once it is back, and says once why it could not', async () => {
		const { rig, clock, info, streams } = await open(door);
		streams.isAway = true;
		for (let n = 0; n < 3; n++) expect((await callTool(rig, 'echo', { text: 'hello' })).status).toBe(200);
		for (let second = 0; second < 5; second++) {
			clock.advance(1_000);
			await settle();
		}
		expect([streams.attempts, info.nodes()]).toEqual([6, []]);
		expect(rig.errors.map(({ message }) => message)).toEqual(['The broker is away.']);
		streams.isAway = false;
		clock.advance(1_000);
		await eventually(() => info.nodes().length).toBe(1);
	});

	it('leaves nothing behind where it closes before it has joined', async () => {
		const { rig, clock, info, streams } = await open(door);
		let attach = () => {};
		streams.slow = new Promise((resolve) => {
			attach = resolve;
		});
		await callTool(rig, 'echo', { text: 'hello' });
		await rig.transport.close();
		attach();
		await settle();
		expect(streams.attempts).toBe(2);
		expect([nodeAddress(rig.transport.nodeId), EVERY_NODE].map((address) => streams.has(address))).toEqual([
			false,
			false,
		]);
		clock.advance(60_000);
		await settle();
		expect([info.nodes(), info.cleanUps]).toEqual([[], 0]);
	});
});
