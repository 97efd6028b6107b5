import { InMemoryStreamSessionManager } from '@holdfast/session-manager';
import { isAddress, type StreamController, type StreamCreateOptions } from '@holdfast/session-manager/custom';
import { ManualClock } from '@holdfast/session-manager/testing';
import { describe, expect, it } from 'vitest';
import { AsynchronousInfo } from '../../../../test/support/custom-managers.ts';
import { settle } from '../../../../test/support/deadline.ts';
import { doors } from '../../../../test/support/doors.ts';
import { Rig, type RigOptions } from '../../../../test/support/rig.ts';

const SESSIONS = 60;
const MINUTE = 60_000;

/** Streams in memory that can say that messages between nodes may have been missed. */
class GappyStreams extends InMemoryStreamSessionManager {
	readonly #ongaps: (() => unknown)[] = [];

	override create(id: string, controller: StreamController, options: StreamCreateOptions = {}) {
		if (isAddress(id) && options.ongap !== undefined) this.#ongaps.push(options.ongap);
		return super.create(id, controller, options);
	}

	missMessages(): void {
		for (const ongap of this.#ongaps) ongap();
	}
}

/** Sessions in a store that can be held up, and counts what waits for it. */
class HeldInfo extends AsynchronousInfo {
	isHeld = false;
	isFailing = false;
	/** Whose records were read while it was held up. */
	readonly readIds: string[] = [];
	/** How many calls wait for it. */
	waiting = 0;
	readonly #held: (() => void)[] = [];

	/** Answers all that waits. */
	answer(): void {
		for (const go of this.#held.splice(0)) go();
	}

	override async read(id: string) {
		if (this.isHeld) this.readIds.push(id);
		await this.#hold();
		return super.read(id);
	}

	override async touch(id: string, usedAt: number) {
		await this.#hold();
		return super.touch(id, usedAt);
	}

	async #hold(): Promise<void> {
		if (!this.isHeld) return;
		this.waiting++;
		await new Promise<void>((resolve) => this.#held.push(resolve));
		this.waiting--;
		if (this.isFailing) throw new Error('The store is away.');
	}
}

async function openMany(options: RigOptions = {}) {
	const clock = new ManualClock(1_000_000);
	const streams = new GappyStreams({ clock });
	const info = new HeldInfo(clock);
	const door = doors[1] ?? doors[0];
	if (door === undefined) throw new Error('There are doors.');
	const rig = await Rig.open(door, { clock, idleTtlMs: 0, sessionManager: { streams, info }, ...options });
	const clients = await Promise.all(Array.from({ length: SESSIONS }, () => rig.session()));
	for (const client of clients) await (await client.get()).event(0);
	/** Answers until the store has nothing more to do. Returns how many calls waited at most. */
	const answerAll = async () => {
		let most = info.waiting;
		for (let idle = 0; idle < 3; ) {
			info.answer();
			await settle();
			clock.advance(0);
			await settle();
			most = Math.max(most, info.waiting);
			idle = info.waiting === 0 ? idle + 1 : 0;
		}
		return most;
	};
	return { clock, streams, info, rig, clients, answerAll };
}

describe('many open sessions', () => {
	it('are confirmed a few at a time once messages may have been missed; one that is used does not wait', async () => {
		const { streams, info, clients, answerAll } = await openMany();
		info.isHeld = true;
		streams.missMessages();
		await settle();
		const most = info.waiting;
		expect(most).toBeGreaterThan(1);
		expect(most).toBeLessThanOrEqual(25);
		const used = clients.at(-1);
		const pinged = used?.request('ping');
		await settle();
		expect(info.readIds.at(-1)).toBe(used?.id);
		expect(info.waiting).toBe(most + 1);
		expect(await answerAll()).toBeLessThanOrEqual(most + 1);
		expect((await pinged)?.status).toBe(200);
		// Each once: the one that was used needs no further confirmation.
		expect(info.readIds.toSorted()).toEqual(clients.map(({ id }) => id).toSorted());
	});

	it('are all confirmed in the end although the store failed', async () => {
		const { clock, streams, info, rig, clients, answerAll } = await openMany();
		info.isHeld = true;
		info.isFailing = true;
		streams.missMessages();
		await answerAll();
		expect(info.readIds).toHaveLength(SESSIONS);
		expect(rig.errors.map(({ message }) => message)).toEqual(Array(SESSIONS).fill('The store is away.'));
		info.isFailing = false;
		info.readIds.length = 0;
		clock.advance(1_000);
		expect(info.waiting).toBeLessThanOrEqual(25);
		await answerAll();
		expect(info.readIds.toSorted()).toEqual(clients.map(({ id }) => id).toSorted());
	});

	it('are confirmed a few at a time where nobody uses them, every few minutes', async () => {
		const { clock, info, clients, answerAll } = await openMany({ suspendAfterMs: 0 });
		info.isHeld = true;
		for (let second = 0; second < 6 * 60; second++) clock.advance(1_000);
		await settle();
		expect(info.waiting).toBeGreaterThan(1);
		expect(info.waiting).toBeLessThanOrEqual(25);
		await answerAll();
		expect(new Set(info.readIds)).toEqual(new Set(clients.map(({ id }) => id)));
	});

	it('end a few at a time where they expire together', async () => {
		const { clock, info, rig, answerAll } = await openMany({ idleTtlMs: 30 * MINUTE, suspendAfterMs: 0 });
		info.isHeld = true;
		for (let minute = 0; minute < 31; minute++) clock.advance(MINUTE);
		await settle();
		expect(info.waiting).toBeLessThanOrEqual(25);
		expect(await answerAll()).toBeLessThanOrEqual(25);
		expect(rig.transport.stats().sessions).toBe(0);
	});

	it('that are busy are kept alive a few at a time', async () => {
		let end = () => {};
		const ended = new Promise<void>((resolve) => {
			end = resolve;
		});
		const wait = async () => {
			await ended;
			return 'done';
		};
		const { clock, info, clients, answerAll } = await openMany({ idleTtlMs: 30 * MINUTE, tools: { wait } });
		const calls = clients.map((client) => client.ask('wait'));
		await settle();
		info.isHeld = true;
		for (let second = 0; second < 120; second++) clock.advance(1_000);
		await settle();
		expect(info.waiting).toBeGreaterThan(1);
		expect(info.waiting).toBeLessThanOrEqual(25);
		await answerAll();
		info.isHeld = false;
		end();
		expect(await Promise.all(calls)).toEqual(clients.map(() => 'done'));
	});
});
