import {
	InMemoryInfoSessionManager,
	SessionManagerError,
	SessionState,
	type StateMarksOptions,
} from '@holdfast/session-manager';
import { WriteBehind } from '@holdfast/session-manager/internal';
import { ManualClock } from '@holdfast/session-manager/testing';
import { describe, expect, it } from 'vitest';
import { sampleRecord } from './sample-record.ts';

/** A store, and any number of nodes that make marks in it, in one session. */
function open() {
	const clock = new ManualClock(1_000_000);
	const errors: Error[] = [];
	const info = new Unsteady({ clock });
	info.create(sampleRecord('s'));
	const node = (options?: StateMarksOptions) => {
		const writeBehind = new WriteBehind(clock, (error) => errors.push(error));
		const state = new SessionState(info, 's', writeBehind);
		return { writeBehind, state, marks: state.marks('sent', options) };
	};
	return { clock, info, errors, node };
}

/** A store that counts what it is asked, and can be away. */
class Unsteady extends InMemoryInfoSessionManager {
	reads = 0;
	writes = 0;
	away = false;

	override readState(...args: Parameters<InMemoryInfoSessionManager['readState']>) {
		this.reads++;
		if (this.away) throw new SessionManagerError('unavailable', 'The store is away.');
		return super.readState(...args);
	}

	override writeState(...args: Parameters<InMemoryInfoSessionManager['writeState']>) {
		this.writes++;
		if (this.away) throw new SessionManagerError('unavailable', 'The store is away.');
		return super.writeState(...args);
	}
}

/** Lets work go on that waits for nothing but promises. */
async function settle(): Promise<void> {
	for (let turn = 0; turn < 50; turn++) await Promise.resolve();
}

describe('marks', () => {
	it('are made once: true the first time, false from then on, also for simultaneous calls', async () => {
		const { marks } = open().node();
		expect(await marks.has('a')).toBe(false);
		expect(await marks.add('a')).toBe(true);
		expect(await marks.add('a')).toBe(false);
		expect(await marks.has('a')).toBe(true);
		expect(await Promise.all([marks.add('b'), marks.add('b'), marks.add('b')])).toEqual([true, false, false]);
	});

	it('are any text, and only as often as they are equal', async () => {
		const { marks, state } = open().node();
		const texts = ['', ' ', '__proto__', 'Ä', 'A\u0308', 'a\0b', 'x'.repeat(2_000)];
		for (const text of texts) expect(await marks.add(text)).toBe(true);
		for (const text of texts) expect(await marks.add(text)).toBe(false);
		await state.flush();
		expect(await state.get('sent')).toEqual(texts);
	});

	it('cost no round trip while they are fresh in memory, and one write for many', async () => {
		const { clock, info, node } = open();
		const { marks } = node();
		await marks.add('first');
		const [reads, writes] = [info.reads, info.writes];
		for (let n = 0; n < 200; n++) await marks.add(`mark ${n}`);
		expect([info.reads - reads, info.writes - writes]).toEqual([0, 0]);
		clock.advance(1_000);
		await settle();
		expect(info.writes - writes).toBe(1);
		expect(await node().marks.has('mark 199')).toBe(true);
	});

	it('reach another node within two seconds by themselves', async () => {
		const { clock, node } = open();
		const [one, other] = [node(), node()];
		expect(await other.marks.has('a')).toBe(false);
		await one.marks.add('a');
		expect(await other.marks.has('a')).toBe(false);
		clock.advance(1_000);
		await settle();
		clock.advance(1_000);
		expect(await other.marks.has('a')).toBe(true);
		expect(await other.marks.add('a')).toBe(false);
	});

	it('of several nodes are united, whoever writes last', async () => {
		const { node } = open();
		const nodes = [node(), node(), node()];
		await Promise.all(nodes.map(({ marks }, index) => marks.add(`of ${index}`)));
		await Promise.all(nodes.map(({ marks }) => marks.flush()));
		const restarted = node();
		for (const index of nodes.keys()) expect(await restarted.marks.has(`of ${index}`)).toBe(true);
	});

	it('are there on the next node after a flush; without one, those that were not written yet are not', async () => {
		const { node } = open();
		const stopped = node();
		await stopped.marks.add('a');
		await stopped.state.flush();
		const killed = node();
		await killed.marks.add('b');
		const next = node();
		expect([await next.marks.add('a'), await next.marks.add('b')]).toEqual([false, true]);
	});

	it('that could not be written wait, are tried again, and are never forgotten', async () => {
		const { clock, info, errors, node } = open();
		const { marks, state } = node();
		await marks.add('a');
		info.away = true;
		await expect(state.flush()).rejects.toMatchObject({ code: 'unavailable' });
		clock.advance(1_000);
		await settle();
		expect(errors).toEqual([expect.objectContaining({ code: 'unavailable' })]);
		info.away = false;
		clock.advance(1_000);
		await settle();
		expect(errors).toHaveLength(1);
		expect(await node().marks.has('a')).toBe(true);
	});

	it('throw while the store is away and memory is not fresh: nobody is told that something is new', async () => {
		const { clock, info, node } = open();
		const { marks } = node();
		await marks.add('a');
		await marks.flush();
		info.away = true;
		clock.advance(1_500);
		await expect(marks.add('a')).rejects.toMatchObject({ code: 'unavailable' });
		await expect(marks.has('b')).rejects.toMatchObject({ code: 'unavailable' });
		info.away = false;
		expect(await marks.add('a')).toBe(false);
	});

	it('made while others are being written are written next', async () => {
		const { clock, node } = open();
		const { marks } = node();
		await marks.add('a');
		const flushed = marks.flush();
		await marks.add('b');
		await flushed;
		expect([await marks.has('a'), await marks.has('b')]).toEqual([true, true]);
		clock.advance(1_000);
		await settle();
		const next = node();
		expect([await next.marks.has('a'), await next.marks.has('b')]).toEqual([true, true]);
	});

	it('are bounded: the oldest are forgotten', async () => {
		const { node } = open();
		const { marks, state } = node({ maxMarks: 3 });
		for (const mark of ['a', 'b', 'c', 'd']) await marks.add(mark);
		await marks.flush();
		expect(await state.get('sent')).toEqual(['b', 'c', 'd']);
		expect([await marks.has('a'), await marks.has('d')]).toEqual([false, true]);
		const unbounded = node().marks;
		for (let n = 0; n < 1_100; n++) await unbounded.add(`mark ${n}`);
		await unbounded.flush();
		expect(await state.get('sent')).toHaveLength(1_000);
	});

	it('of a session that has ended are dropped without a fuss', async () => {
		const { clock, info, errors, node } = open();
		const { marks, state } = node();
		await marks.add('a');
		info.delete('s');
		await state.flush();
		clock.advance(5_000);
		await settle();
		expect([errors, info.stats().stateValues]).toEqual([[], 0]);
	});

	it('are the same object for one key, and refuse a key that holds something else', async () => {
		const { state } = open().node();
		expect(state.marks('sent')).toBe(state.marks('sent'));
		expect(state.marks('sent')).not.toBe(state.marks('read'));
		await state.set('number', 1);
		await expect(state.marks('number').add('a')).rejects.toMatchObject({ code: 'invalid-value' });
		expect(() => state.marks('meta')).toThrow(expect.objectContaining({ code: 'invalid-key' }));
	});
});

describe('WriteBehind', () => {
	it('has one timer, only while something waits, and none once it is closed', async () => {
		const clock = new ManualClock(0);
		let timers = 0;
		const counting = {
			now: () => clock.now(),
			monotonic: () => clock.monotonic(),
			after: (ms: number, work: () => void) => {
				timers++;
				return clock.after(ms, work);
			},
		};
		const writeBehind = new WriteBehind(counting);
		let flushes = 0;
		const unwritten = { flush: async () => void flushes++ };
		writeBehind.add(unwritten);
		writeBehind.add(unwritten);
		expect([timers, flushes]).toEqual([1, 0]);
		clock.advance(1_000);
		await settle();
		clock.advance(10_000);
		expect([timers, flushes]).toEqual([1, 1]);
		writeBehind.add(unwritten);
		writeBehind.close();
		clock.advance(10_000);
		expect([timers, flushes]).toEqual([2, 1]);
		await writeBehind.flush();
		expect(flushes).toBe(2);
	});
});
