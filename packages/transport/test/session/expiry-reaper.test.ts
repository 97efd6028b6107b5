import {
	InMemoryInfoSessionManager,
	InMemoryStreamSessionManager,
	SessionManagerError,
} from '@holdfast/session-manager';
import { ManualClock } from '@holdfast/session-manager/testing';
import { describe, expect, it } from 'vitest';
import { doors } from '../../../../test/support/doors.ts';
import { eventually } from '../../../../test/support/eventually.ts';
import { Rig } from '../../../../test/support/rig.ts';

const MINUTE = 60_000;
const [door] = doors;

/** An engine that expires nothing by itself: what transports ask of it is counted. */
class NeedsHelp extends InMemoryInfoSessionManager {
	calls = 0;
	/** What is left to free. */
	left = 0;
	away = false;

	override removeExpired(limit: number): number {
		if (this.away) throw new SessionManagerError('unavailable', 'The engine is away.');
		this.calls++;
		const removed = Math.min(limit, this.left);
		this.left -= removed;
		return removed;
	}
}

/** Two nodes, each with a clock of its own beside that of the engine: a node whose clock stands still is frozen. */
async function open() {
	if (door === undefined) throw new Error('There is no such door.');
	const clock = new ManualClock(1_000_000);
	const info = new NeedsHelp({ clock });
	const streams = new InMemoryStreamSessionManager({ clock });
	const clocks = [new ManualClock(1_000_000), new ManualClock(1_000_000)] as const;
	const nodes = await Promise.all(
		clocks.map((own) => Rig.open(door, { clock: own, idleTtlMs: 0, sessionManager: { streams, info } })),
	);
	for (const node of nodes) await node.session();
	const [a, b] = nodes;
	if (a === undefined || b === undefined) throw new Error('There are two nodes.');
	return {
		info,
		a,
		b,
		/** A minute passes for the engine and for some nodes. */
		async minute(...indexes: number[]) {
			clock.advance(MINUTE);
			for (const index of indexes) clocks[index]?.advance(MINUTE);
			// Each of the steps is a promise that is settled already.
			for (let turn = 0; turn < 100; turn++) await Promise.resolve();
		},
	};
}

describe('the clean-up of an engine that does not expire by itself', () => {
	it('runs every minute, on one node', async () => {
		const { info, minute } = await open();
		await minute(0, 1);
		expect(info.calls).toBe(1);
		for (let passed = 0; passed < 9; passed++) await minute(0, 1);
		expect(info.calls).toBe(10);
	});

	it('goes on until nothing is left', async () => {
		const { info, minute } = await open();
		info.left = 4_500;
		await minute(0, 1);
		expect([info.left, info.calls]).toEqual([0, 5]);
	});

	it('is taken over from a node that died, after three minutes', async () => {
		const { info, minute } = await open();
		await minute(0, 1);
		for (let passed = 0; passed < 2; passed++) await minute(1);
		expect(info.calls).toBe(1);
		for (let passed = 0; passed < 2; passed++) await minute(1);
		expect(info.calls).toBeGreaterThanOrEqual(2);
		// The one that was frozen finds the lease in other hands.
		const before = info.calls;
		await minute(0, 1);
		expect(info.calls).toBe(before + 1);
	});

	it('is taken over from a node that closes, at once', async () => {
		const { info, a, minute } = await open();
		await minute(0, 1);
		await a.transport.close();
		await minute(1);
		expect(info.calls).toBe(2);
	});

	it('that fails is reported, and tried again', async () => {
		const { info, a, b, minute } = await open();
		info.away = true;
		await minute(0, 1);
		await eventually(() => [...a.errors, ...b.errors].map(({ message }) => message)).toEqual(['The engine is away.']);
		info.away = false;
		await minute(0, 1);
		expect(info.calls).toBe(1);
	});

	it('leaves nothing that a client could use, nor anything once both have closed', async () => {
		const { info, a, b, minute } = await open();
		await minute(0, 1);
		const answer = await a.post({ jsonrpc: '2.0', id: 1, method: 'ping' }, { 'mcp-session-id': ' clean-up' });
		expect(answer.status).toBe(404);
		await a.transport.close();
		await b.transport.close();
		expect(info.stats().sessions).toBe(2);
		const calls = info.calls;
		await minute(0, 1);
		expect(info.calls).toBe(calls);
	});
});
