import { InMemoryInfoSessionManager, InMemoryStreamSessionManager } from '@holdfast/session-manager';
import { ManualClock } from '@holdfast/session-manager/testing';
import { describe, expect, it } from 'vitest';
import { sampleRecord } from './sample-record.ts';
import { sse } from './stream-client.ts';

const MANY = 6_000;
const ids = Array.from({ length: MANY }, (_, n) => `s${n}`);

/** Each task that falls due is a turn of the event loop; `count` is asked after each. */
class TurnClock extends ManualClock {
	count: (() => number) | undefined;
	readonly counts: number[] = [];

	override after(delayMs: number, task: () => void): () => void {
		return super.after(delayMs, () => {
			task();
			if (this.count !== undefined) this.counts.push(this.count());
		});
	}

	/** The most that one turn took away, of `from` that there were. */
	mostTaken(from: number): number {
		return Math.max(...this.counts.map((count, turn) => (this.counts[turn - 1] ?? from) - count));
	}
}

describe('many sessions that expire at once', () => {
	it('are freed a part at a time, and are unknown meanwhile', () => {
		const clock = new TurnClock();
		const info = new InMemoryInfoSessionManager({ clock, sweepIntervalMs: 1_000 });
		for (const id of ids) info.create(sampleRecord(id, { endsAt: 10, principal: id }));
		for (const id of ids.slice(-100)) info.addSubscription(id, 'x:1');
		clock.count = () => {
			expect(info.read('s5999')).toBeUndefined();
			expect(info.getSubscriptions('x:1')).toEqual([]);
			expect(info.scan(undefined, 10)).toEqual({ records: [] });
			return info.stats().sessions;
		};
		clock.advance(1_000);
		expect(info.stats()).toEqual({ sessions: 0, records: 0, subscriptions: 0, stateValues: 0, leases: 0, bytes: 0 });
		expect(clock.mostTaken(MANY)).toBeLessThanOrEqual(2_000);
	});

	it('are freed in smaller parts where they have many subscriptions', () => {
		const clock = new TurnClock();
		const info = new InMemoryInfoSessionManager({ clock, sweepIntervalMs: 1_000 });
		for (const id of ids.slice(0, 20)) {
			info.create(sampleRecord(id, { endsAt: 10 }));
			for (let n = 0; n < 500; n++) info.addSubscription(id, `x:${n}`);
		}
		clock.count = () => info.stats().subscriptions;
		clock.advance(1_000);
		expect(info.stats()).toMatchObject({ sessions: 0, subscriptions: 0, bytes: 0 });
		expect(clock.mostTaken(10_000)).toBeLessThanOrEqual(2_500);
	});

	it('are not all removed by whoever reads the subscribers of a resource', () => {
		const clock = new ManualClock();
		const info = new InMemoryInfoSessionManager({ clock, sweepIntervalMs: 1e9 });
		for (const id of ids) {
			info.create(sampleRecord(id, { endsAt: 10 }));
			info.addSubscription(id, 'x:1');
		}
		clock.advance(10);
		expect(info.getSubscriptions('x:1')).toEqual([]);
		expect(info.stats().sessions).toBe(MANY);
	});

	it('make room for as many new ones, and each of these removes a part of them at most', () => {
		const clock = new ManualClock();
		const info = new InMemoryInfoSessionManager({ clock, maxSessions: MANY, sweepIntervalMs: 1e9 });
		for (const id of ids) info.create(sampleRecord(id, { endsAt: 10 }));
		clock.advance(10);
		let held = info.stats().sessions;
		for (let n = 0; n < MANY; n++) {
			const isNew = info.create(sampleRecord(`new${n}`));
			if (n % 1_000 !== 0 && isNew) continue;
			expect(isNew).toBe(true);
			const now = info.stats().sessions;
			expect(held - now).toBeLessThanOrEqual(2_000);
			held = now;
		}
		expect(info.stats().sessions).toBe(MANY);
		expect(() => info.create(sampleRecord('another'))).toThrow('sessions');
	});
});

describe('the streams of many sessions', () => {
	it('are forgotten a part at a time once the retention is over', () => {
		const clock = new TurnClock();
		const streams = new InMemoryStreamSessionManager({ clock, history: { maxAgeMs: 1_000 } });
		for (const id of ids) streams.send([id], sse('kept'));
		clock.count = () => streams.stats().events;
		clock.advance(2_000);
		expect(streams.stats()).toEqual({ streams: 0, listeners: 0, sessions: 0, events: 0 });
		expect(clock.mostTaken(MANY)).toBeLessThanOrEqual(2_000);
	});

	it('are forgotten in smaller parts where much is kept of each', () => {
		const clock = new TurnClock();
		const streams = new InMemoryStreamSessionManager({ clock, history: { maxAgeMs: 1_000 } });
		for (const id of ids.slice(0, 20)) for (let n = 0; n < 500; n++) streams.send([id], sse(n));
		clock.count = () => streams.stats().events;
		clock.advance(2_000);
		expect(streams.stats()).toMatchObject({ sessions: 0, events: 0 });
		expect(clock.mostTaken(10_000)).toBeLessThanOrEqual(2_500);
	});

	it('are removed a part at a time once the sessions have ended, however often their ends move', () => {
		const clock = new TurnClock();
		const streams = new InMemoryStreamSessionManager({ clock });
		for (const id of ids) {
			streams.send([id], sse('kept'));
			streams.expireIn(id, 2_000);
		}
		for (const id of ids.slice(0, 10)) streams.expireIn(id, 10_000);
		let isMoved = false;
		clock.count = () => {
			// In the middle of it, one that was passed ends sooner, and one that is still to come ends later.
			if (!isMoved) {
				streams.expireIn('s0', 3_000);
				streams.expireIn('s5999', 10_000);
			}
			isMoved = true;
			return streams.stats().sessions;
		};
		clock.advance(2_000);
		expect(streams.stats().sessions).toBe(11);
		clock.advance(4_000);
		expect(streams.stats().sessions).toBe(10);
		clock.advance(10_000);
		expect(streams.stats()).toMatchObject({ sessions: 0, events: 0 });
		expect(clock.mostTaken(MANY)).toBeLessThanOrEqual(2_000);
	});
});
