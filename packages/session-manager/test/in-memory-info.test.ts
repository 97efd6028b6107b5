import { InMemoryInfoSessionManager } from '@holdfast/session-manager';
import { expiryOf, isExpired } from '@holdfast/session-manager/custom';
import { ManualClock } from '@holdfast/session-manager/testing';
import { describe, expect, it } from 'vitest';
import { sampleRecord } from './sample-record.ts';

it('answers everything at once, never with a promise', () => {
	const info = new InMemoryInfoSessionManager();
	const answers = [
		info.create(sampleRecord('s')),
		info.read('s'),
		info.update('s', {}),
		info.touch('s', 1),
		info.addSubscription('s', 'x:1'),
		info.getSubscriptions('x:1'),
		info.getSubscribedUris('s'),
		info.removeSubscription('s', 'x:1'),
		info.writeState('s', 'k', undefined, 's1'),
		info.readState('s', 'k'),
		info.listState('s'),
		info.scan(undefined, 10),
		info.getClientInfo('s'),
		info.setLogLevel('s', 'debug'),
		info.acquireLease('l', 'a', 1),
		info.releaseLease('l', 'a'),
		info.announceNode({ id: 'n', version: '1', startedAt: 0, state: 'ready', counts: {} }, 1),
		info.nodes(),
		info.delete('s'),
	];
	for (const answer of answers) expect(answer).not.toBeInstanceOf(Promise);
});

describe('a session that has expired', () => {
	it('may be made anew once it has expired, and inherits nothing', () => {
		const clock = new ManualClock();
		const info = new InMemoryInfoSessionManager({ clock, sweepIntervalMs: 1e9 });
		info.create(sampleRecord('s', { endsAt: 10 }));
		info.addSubscription('s', 'file:///a');
		info.writeState('s', 'key', undefined, 's1');
		clock.advance(10);
		expect(info.create(sampleRecord('s'))).toBe(true);
		expect(info.getSubscribedUris('s')).toEqual([]);
		expect(info.getSubscriptions('file:///a')).toEqual([]);
		expect(info.readState('s', 'key')).toBeUndefined();
	});

	it('is passed over by a scan', () => {
		const clock = new ManualClock();
		const info = new InMemoryInfoSessionManager({ clock, sweepIntervalMs: 1e9 });
		for (let n = 0; n < 30; n++) info.create(sampleRecord(`s${n}`, n % 3 === 0 ? {} : { endsAt: 10 }));
		clock.advance(10);
		expect(info.scan(undefined, 100).records.map(({ id }) => id)).toEqual(
			Array.from({ length: 10 }, (_, index) => `s${index * 3}`),
		);
	});
});

describe.each([
	['forth', 3_600_000],
	['back', -3_600_000],
])('a wall clock that is set an hour %s', (_, step) => {
	it('ends no session early, and keeps none alive', () => {
		const clock = new ManualClock(1e12);
		const info = new InMemoryInfoSessionManager({ clock });
		const terms = { principal: 'alice', lastUsedAt: clock.now(), idleTtlMs: 60_000 };
		info.create(sampleRecord('used', terms));
		info.create(sampleRecord('unused', { ...terms, keepEndedMs: 60_000 }));
		info.create(sampleRecord('bounded', { ...terms, endsAt: clock.now() + 90_000 }));
		clock.setNow(clock.now() + step);
		for (let passed = 0; passed < 5; passed++) {
			clock.advance(20_000);
			for (const id of ['used', 'bounded']) info.touch(id, clock.now());
			const living = info.scan(undefined, 10).records.map(({ id }) => id);
			const wanted = [
				['used', true],
				['unused', passed < 2],
				['bounded', passed < 4],
			] as const;
			expect(living).toEqual(wanted.filter(([, lives]) => lives).map(([id]) => id));
		}
		expect(info.readEnded('unused')?.reason).toBe('expired');
		clock.advance(20_000);
		expect(info.readEnded('unused')).toBeUndefined();
		clock.advance(60_000);
		expect(info.stats().sessions).toBe(0);
	});

	it('holds no lease longer, and drops none', () => {
		const clock = new ManualClock(1e12);
		const info = new InMemoryInfoSessionManager({ clock });
		info.acquireLease('l', 'a', 60_000);
		clock.setNow(clock.now() + step);
		clock.advance(59_999);
		expect(info.acquireLease('l', 'b', 60_000)).toBe(false);
		clock.advance(1);
		expect(info.acquireLease('l', 'b', 60_000)).toBe(true);
	});
});

describe('expiry', () => {
	it('slides with each touch, and never backwards', () => {
		const clock = new ManualClock();
		const info = new InMemoryInfoSessionManager({ clock });
		info.create(sampleRecord('s', { idleTtlMs: 100 }));
		for (let time = 90; time <= 900; time += 90) {
			clock.advance(90);
			expect(info.touch('s', time)).toBe(true);
			expect(info.touch('s', time - 50)).toBe(true);
			expect(info.read('s')?.lastUsedAt).toBe(time);
		}
		clock.advance(99);
		expect(info.read('s')).toBeDefined();
		clock.advance(1);
		expect(info.read('s')).toBeUndefined();
	});

	it('comes at the absolute end however often the session is used', () => {
		const clock = new ManualClock();
		const info = new InMemoryInfoSessionManager({ clock });
		info.create(sampleRecord('s', { idleTtlMs: 100, endsAt: 250 }));
		for (const time of [90, 180, 240]) {
			clock.advance(time - clock.now());
			expect(info.touch('s', time)).toBe(true);
		}
		clock.advance(10);
		expect(info.touch('s', 250)).toBe(false);
	});

	it('never comes to a session without one', () => {
		const clock = new ManualClock();
		const info = new InMemoryInfoSessionManager({ clock });
		info.create(sampleRecord('s'));
		clock.advance(1e9);
		expect(info.read('s')).toBeDefined();
	});

	it('follows an update of its terms', () => {
		const clock = new ManualClock();
		const info = new InMemoryInfoSessionManager({ clock });
		info.create(sampleRecord('longer', { idleTtlMs: 100 }));
		info.create(sampleRecord('shorter', { idleTtlMs: 100 }));
		info.update('longer', { idleTtlMs: undefined });
		info.update('shorter', { endsAt: 50 });
		clock.advance(50);
		expect(info.read('shorter')).toBeUndefined();
		clock.advance(1e6);
		expect(info.read('longer')).toBeDefined();
	});

	it('makes room for a new one, and without room none is made', () => {
		const clock = new ManualClock(1_000);
		const info = new InMemoryInfoSessionManager({ clock, maxSessions: 2, sweepIntervalMs: 1e9 });
		const record = { createdAt: 1_000, lastUsedAt: 1_000, idleTtlMs: 500 };
		expect(info.create(sampleRecord('first', record))).toBe(true);
		expect(info.create(sampleRecord('second', record))).toBe(true);
		expect(() => info.create(sampleRecord('third', record))).toThrow(expect.objectContaining({ code: 'limit' }));
		expect(info.stats().sessions).toBe(2);
		clock.advance(1_000);
		expect(info.create(sampleRecord('third', { ...record, lastUsedAt: 2_000 }))).toBe(true);
		expect(info.stats().sessions).toBe(1);
	});

	it('frees the memory without anybody asking for the session', () => {
		const clock = new ManualClock();
		const info = new InMemoryInfoSessionManager({ clock, sweepIntervalMs: 1_000 });
		for (const [index, ttl] of [500, 1_500, undefined].entries()) {
			const id = `s${index}`;
			info.create(sampleRecord(id, ttl === undefined ? {} : { idleTtlMs: ttl }));
			info.addSubscription(id, 'file:///a');
			info.writeState(id, 'key', undefined, 's1');
		}
		clock.advance(1_000);
		expect(info.stats()).toMatchObject({ sessions: 2, subscriptions: 2, stateValues: 2 });
		clock.advance(1_000);
		expect(info.stats()).toMatchObject({ sessions: 1, subscriptions: 1, stateValues: 1 });
	});

	it('takes a lapsed lease with it, of which there is one for each state of a request that was used', () => {
		const clock = new ManualClock();
		const info = new InMemoryInfoSessionManager({ clock, sweepIntervalMs: 1_000 });
		for (let n = 0; n < 5_000; n++) info.acquireLease(`used ${n}`, 'holder', n < 4_000 ? 500 : 1_500);
		clock.advance(1_000);
		expect(info.stats().leases).toBe(1_000);
		expect(info.acquireLease('used 4000', 'other', 500)).toBe(false);
		clock.advance(1_000);
		expect(info.stats().leases).toBe(0);
		expect(info.acquireLease('used 4000', 'other', 500)).toBe(true);
	});

	it('is the earlier of the idle and the absolute one', () => {
		expect(expiryOf(sampleRecord('s'))).toBeUndefined();
		expect(expiryOf(sampleRecord('s', { lastUsedAt: 5, idleTtlMs: 10 }))).toBe(15);
		expect(expiryOf(sampleRecord('s', { lastUsedAt: 5, idleTtlMs: 10, endsAt: 12 }))).toBe(12);
		expect(expiryOf(sampleRecord('s', { lastUsedAt: 5, idleTtlMs: 10, endsAt: 20 }))).toBe(15);
		expect(expiryOf(sampleRecord('s', { endsAt: 20 }))).toBe(20);
		expect(isExpired(sampleRecord('s', { endsAt: 20 }), 19)).toBe(false);
		expect(isExpired(sampleRecord('s', { endsAt: 20 }), 20)).toBe(true);
	});
});

describe('a manager', () => {
	it('forgets all when it is closed, and takes no session after that', async () => {
		const clock = new ManualClock();
		const info = new InMemoryInfoSessionManager({ clock });
		info.create(sampleRecord('s'));
		info.addSubscription('s', 'x:1');
		info.close();
		await info[Symbol.asyncDispose]();
		expect(info.stats()).toEqual({ sessions: 0, records: 0, subscriptions: 0, stateValues: 0, leases: 0, bytes: 0 });
		expect(info.getSubscriptions('x:1')).toEqual([]);
		expect(() => info.create(sampleRecord('t'))).toThrow(expect.objectContaining({ code: 'closed' }));
	});
});

describe('the text that is held', () => {
	const open = (maxBytes: number) => {
		const clock = new ManualClock();
		return { clock, info: new InMemoryInfoSessionManager({ clock, maxBytes, sweepIntervalMs: 1e9 }) };
	};
	const long = (letter: string, length: number) => sampleRecord('s', { claims: { text: letter.repeat(length) } });

	it('is counted as it lies in memory, and not any more when it goes', () => {
		const { info } = open(0);
		info.create(sampleRecord('s', { claims: { text: '' } }));
		const before = info.stats().bytes;
		info.update('s', { initializeParams: { ...sampleRecord('s').initializeParams, more: 'x'.repeat(1_000) } });
		const updated = info.stats().bytes;
		expect(updated - before).toBe(1_000 + ',"more":""'.length);
		info.addSubscription('s', 'x:1');
		info.addSubscription('s', 'x:1');
		info.addSubscription('s', 'x:€');
		expect(info.stats().bytes - updated).toBe(3 + 6);
		info.removeSubscription('s', 'x:1');
		info.writeState('s', 'key', undefined, 's123');
		info.writeState('s', 'key', info.readState('s', 'key')?.version, 's1');
		expect(info.stats().bytes - updated).toBe(6 + 5);
		info.writeState('s', 'key', info.readState('s', 'key')?.version, undefined);
		expect(info.stats().bytes - updated).toBe(6);
		info.delete('s');
		expect(info.stats().bytes).toBe(0);
	});

	it.each(['x', '€'])('is bounded, and what would exceed the bound changes nothing: %s', (letter) => {
		const { info } = open(10_000);
		const tooLong = 10_000 / (letter === 'x' ? 1 : 2);
		const limit = expect.objectContaining({ code: 'limit', message: expect.stringContaining('maxBytes') });
		expect(() => info.create(long(letter, tooLong))).toThrow(limit);
		expect([info.read('s'), info.stats().sessions, info.stats().bytes]).toEqual([undefined, 0, 0]);
		info.create(sampleRecord('s'));
		const { bytes } = info.stats();
		const text = letter.repeat(tooLong);
		expect(() => info.update('s', { initializeParams: { text } })).toThrow(limit);
		expect(() => info.addSubscription('s', text)).toThrow(limit);
		expect(() => info.writeState('s', 'key', undefined, text)).toThrow(limit);
		expect([info.read('s'), info.getSubscribedUris('s'), info.readState('s', 'key')]).toEqual([
			sampleRecord('s'),
			[],
			undefined,
		]);
		expect(info.stats().bytes).toBe(bytes);
	});

	it('makes room for others when its session has expired', () => {
		const { clock, info } = open(10_000);
		info.create(sampleRecord('old', { endsAt: 10, claims: { text: 'x'.repeat(8_000) } }));
		expect(() => info.create(long('x', 8_000))).toThrow('maxBytes');
		clock.advance(1_000);
		expect(info.create(long('x', 8_000))).toBe(true);
	});
});
