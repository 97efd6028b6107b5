import {
	expiryOf,
	InMemoryInfoSessionManager,
	isExpired,
	ManualClock,
	type SessionRecord,
} from '@holdfast/session-manager';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sampleRecord } from './sample-record.ts';

const full: Required<SessionRecord> = {
	id: 'full',
	principal: 'https://issuer.example|alice',
	claims: { sub: 'alice', scopes: ['read', 'write'], nested: { deep: [1, null, true, 'ä'] } },
	protocolVersion: '2025-06-18',
	initializeParams: {
		protocolVersion: '2025-06-18',
		clientInfo: { name: 'client', version: '2.0.0', title: 'A client' },
		capabilities: { sampling: {}, elicitation: { form: {} } },
		_meta: { 'example/key': 1 },
	},
	serverCapabilities: { tools: { listChanged: true }, logging: {} },
	logLevel: 'warning',
	createdAt: 1_000,
	lastUsedAt: 2_000,
	idleTtlMs: 60_000,
	endsAt: 1_000_000,
};

describe('a record', () => {
	it('comes back with every field as it was stored', () => {
		const info = new InMemoryInfoSessionManager({ clock: new ManualClock(2_000) });
		const bare = sampleRecord('bare');
		expect(info.create(full)).toBe(true);
		expect(info.create(bare)).toBe(true);
		expect(info.read('full')).toEqual(full);
		expect(info.read('bare')).toEqual(bare);
	});

	it('is not replaced by a second of the same id', () => {
		const info = new InMemoryInfoSessionManager();
		info.create(sampleRecord('s', { principal: 'alice' }));
		info.addSubscription('s', 'file:///a');
		expect(info.create(sampleRecord('s', { principal: 'mallory' }))).toBe(false);
		expect(info.read('s')?.principal).toBe('alice');
		expect(info.getSubscribedUris('s')).toEqual(['file:///a']);
	});

	it('changes in the fields that an update names and in no other', () => {
		const patches = [
			{ logLevel: 'error' },
			{ endsAt: 5_000_000 },
			{ idleTtlMs: 1 },
			{ initializeParams: { clientInfo: { name: 'other', version: '1' } } },
			{ logLevel: undefined, endsAt: undefined },
			{},
		] as const;
		for (const patch of patches) {
			const info = new InMemoryInfoSessionManager({ clock: new ManualClock(2_000) });
			info.create(full);
			info.create(sampleRecord('other'));
			expect(info.update('full', patch)).toBe(true);
			expect(info.read('full')).toEqual({ ...full, ...patch });
			expect(info.read('other')).toEqual(sampleRecord('other'));
		}
	});

	it('holds what the client said, for whoever asks in plain words', () => {
		const info = new InMemoryInfoSessionManager({ clock: new ManualClock(2_000) });
		info.create(full);
		expect(info.getClientInfo('full')).toEqual(full.initializeParams.clientInfo);
		expect(info.getClientCapabilities('full')).toEqual(full.initializeParams.capabilities);
		expect(info.getLogLevel('full')).toBe('warning');

		expect(info.setClientInfo('full', { name: 'renamed', version: '3' })).toBe(true);
		expect(info.setClientCapabilities('full', { roots: {} })).toBe(true);
		expect(info.setLogLevel('full', 'debug')).toBe(true);
		expect(info.read('full')).toEqual({
			...full,
			logLevel: 'debug',
			initializeParams: {
				...full.initializeParams,
				clientInfo: { name: 'renamed', version: '3' },
				capabilities: { roots: {} },
			},
		});
	});

	it('of a client that declared no capabilities says that there are none', () => {
		const info = new InMemoryInfoSessionManager();
		info.create(sampleRecord('s', { initializeParams: { clientInfo: { name: 'bare', version: '0' } } }));
		expect(info.getClientCapabilities('s')).toEqual({});
		expect(info.getLogLevel('s')).toBeUndefined();
	});
});

describe('an unknown session', () => {
	/** Everything that can be done to a session which is not there, and that none of it brings it back. */
	function expectNothing(info: InMemoryInfoSessionManager, id: string) {
		expect(info.read(id)).toBeUndefined();
		expect(info.getClientInfo(id)).toBeUndefined();
		expect(info.getClientCapabilities(id)).toBeUndefined();
		expect(info.getLogLevel(id)).toBeUndefined();
		expect(info.getSubscribedUris(id)).toEqual([]);
		expect(info.readState(id, 'key')).toBeUndefined();
		expect(info.listState(id)).toEqual(new Map());

		const before = info.stats();
		expect(info.update(id, { logLevel: 'debug' })).toBe(false);
		expect(info.touch(id, 1e15)).toBe(false);
		expect(info.setClientInfo(id, { name: 'ghost', version: '0' })).toBe(false);
		expect(info.setClientCapabilities(id, {})).toBe(false);
		expect(info.setLogLevel(id, 'debug')).toBe(false);
		expect(info.addSubscription(id, 'file:///a')).toBe(false);
		expect(info.removeSubscription(id, 'file:///a')).toBe(false);
		expect(info.writeState(id, 'key', '*', 's1')).toBe(false);
		expect(info.writeState(id, 'key', undefined, 's1')).toBe(false);
		expect(info.writeState(id, 'key', '*', undefined)).toBe(false);
		expect(info.delete(id)).toBe(false);
		expect(info.stats()).toEqual(before);
		expect(info.read(id)).toBeUndefined();
		expect(info.getSubscriptions('file:///a')).toEqual([]);
		expect(info.scan(undefined, 100).records.map((record) => record.id)).not.toContain(id);
	}

	it('reads as nothing and takes no writes, when it was never made', () => {
		const info = new InMemoryInfoSessionManager();
		for (const id of ['never', '', '__proto__', 'constructor']) expectNothing(info, id);
	});

	it('reads as nothing and takes no writes, after it was deleted', () => {
		const info = new InMemoryInfoSessionManager();
		info.create(sampleRecord('s'));
		info.addSubscription('s', 'file:///a');
		info.writeState('s', 'key', undefined, 's1');
		expect(info.delete('s')).toBe(true);
		expectNothing(info, 's');
	});

	it.each([
		['was idle for too long', { idleTtlMs: 1_000 }],
		['reached its end', { endsAt: 1_000 }],
	])('reads as nothing and takes no writes, after it %s, before anything swept it away', (_, given) => {
		const clock = new ManualClock();
		const info = new InMemoryInfoSessionManager({ clock, sweepIntervalMs: 1e9 });
		info.create(sampleRecord('s', given));
		info.addSubscription('s', 'file:///a');
		info.writeState('s', 'key', undefined, 's1');
		clock.advance(999);
		expect(info.read('s')).toBeDefined();
		clock.advance(1);
		expect(info.getSubscriptions('file:///a')).toEqual([]);
		expectNothing(info, 's');
	});

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
		expect(info.stats()).toEqual({ sessions: 2, subscriptions: 2, stateValues: 2 });
		clock.advance(1_000);
		expect(info.stats()).toEqual({ sessions: 1, subscriptions: 1, stateValues: 1 });
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

describe('subscriptions', () => {
	it('are found from the resource and from the session, several of each', () => {
		const info = new InMemoryInfoSessionManager();
		for (const id of ['a', 'b', 'c']) info.create(sampleRecord(id));
		for (const [id, uri] of [
			['a', 'x:1'],
			['a', 'x:2'],
			['b', 'x:1'],
		] as const) {
			expect(info.addSubscription(id, uri)).toBe(true);
		}
		expect(info.getSubscriptions('x:1').sort()).toEqual(['a', 'b']);
		expect(info.getSubscriptions('x:2')).toEqual(['a']);
		expect(info.getSubscriptions('x:')).toEqual([]);
		expect(info.getSubscriptions('X:1')).toEqual([]);
		expect(info.getSubscribedUris('a').sort()).toEqual(['x:1', 'x:2']);
		expect(info.getSubscribedUris('c')).toEqual([]);
	});

	it('count once however often they are made, and end at the first unsubscribe', () => {
		const info = new InMemoryInfoSessionManager();
		info.create(sampleRecord('s'));
		for (let times = 0; times < 3; times++) expect(info.addSubscription('s', 'x:1')).toBe(true);
		expect(info.getSubscriptions('x:1')).toEqual(['s']);
		expect(info.removeSubscription('s', 'x:1')).toBe(true);
		expect(info.removeSubscription('s', 'x:1')).toBe(false);
		expect(info.getSubscriptions('x:1')).toEqual([]);
		expect(info.getSubscribedUris('s')).toEqual([]);
	});

	it('of one session end without touching those of another', () => {
		const info = new InMemoryInfoSessionManager();
		for (const id of ['a', 'b']) {
			info.create(sampleRecord(id));
			info.addSubscription(id, 'x:1');
			info.addSubscription(id, 'x:2');
		}
		info.removeSubscription('a', 'x:1');
		expect(info.getSubscriptions('x:1')).toEqual(['b']);
		expect(info.getSubscriptions('x:2').sort()).toEqual(['a', 'b']);
	});

	it('agree with a plain set of pairs, whatever is done', () => {
		const id = fc.constantFrom('a', 'b', 'c');
		const uri = fc.constantFrom('x:1', 'x:2', '__proto__');
		fc.assert(
			fc.property(
				fc.array(fc.tuple(fc.constantFrom('create', 'delete', 'add', 'remove'), id, uri), { maxLength: 60 }),
				(steps) => {
					const info = new InMemoryInfoSessionManager();
					const sessions = new Set<string>();
					let pairs: (readonly [id: string, uri: string])[] = [];
					const has = (pair: readonly [string, string]) => pairs.some(([a, b]) => a === pair[0] && b === pair[1]);
					for (const [what, at, to] of steps) {
						if (what === 'create') {
							expect(info.create(sampleRecord(at))).toBe(!sessions.has(at));
							sessions.add(at);
						} else if (what === 'delete') {
							expect(info.delete(at)).toBe(sessions.delete(at));
							pairs = pairs.filter(([owner]) => owner !== at);
						} else if (what === 'add') {
							expect(info.addSubscription(at, to)).toBe(sessions.has(at));
							if (sessions.has(at) && !has([at, to])) pairs.push([at, to]);
						} else {
							expect(info.removeSubscription(at, to)).toBe(has([at, to]));
							pairs = pairs.filter(([owner, resource]) => owner !== at || resource !== to);
						}
					}
					for (const each of ['a', 'b', 'c']) {
						const uris = pairs.filter(([owner]) => owner === each).map(([, resource]) => resource);
						expect(info.getSubscribedUris(each).sort()).toEqual(uris.sort());
					}
					for (const each of ['x:1', 'x:2', '__proto__']) {
						const ids = pairs.filter(([, resource]) => resource === each).map(([owner]) => owner);
						expect(info.getSubscriptions(each).sort()).toEqual(ids.sort());
					}
					expect(info.stats()).toEqual({ sessions: sessions.size, subscriptions: pairs.length, stateValues: 0 });
				},
			),
			{ numRuns: 300 },
		);
	});
});

describe('one value of state', () => {
	it('is written only over the version that was expected', () => {
		const info = new InMemoryInfoSessionManager();
		info.create(sampleRecord('s'));
		expect(info.writeState('s', 'k', 'no such version', 's1')).toBe(false);
		expect(info.writeState('s', 'k', undefined, 's1')).toBe(true);
		expect(info.writeState('s', 'k', undefined, 's2')).toBe(false);
		const first = info.readState('s', 'k');
		expect(first?.value).toBe('s1');
		expect(info.writeState('s', 'k', first?.version, 's2')).toBe(true);
		expect(info.writeState('s', 'k', first?.version, 's3')).toBe(false);
		expect(info.readState('s', 'k')?.value).toBe('s2');
		expect(info.writeState('s', 'k', '*', 's4')).toBe(true);
		expect(info.readState('s', 'k')?.value).toBe('s4');
	});

	it('is removed only at the version that was expected', () => {
		const info = new InMemoryInfoSessionManager();
		info.create(sampleRecord('s'));
		info.writeState('s', 'k', undefined, 's1');
		const version = info.readState('s', 'k')?.version;
		expect(info.writeState('s', 'k', undefined, undefined)).toBe(false);
		info.writeState('s', 'k', '*', 's2');
		expect(info.writeState('s', 'k', version, undefined)).toBe(false);
		expect(info.writeState('s', 'k', info.readState('s', 'k')?.version, undefined)).toBe(true);
		expect(info.readState('s', 'k')).toBeUndefined();
		expect(info.writeState('s', 'k', '*', undefined)).toBe(true);
		expect(info.writeState('s', 'k', undefined, undefined)).toBe(true);
	});

	it('never has a version that it had before, not even after it was removed', () => {
		const info = new InMemoryInfoSessionManager();
		info.create(sampleRecord('s'));
		const versions = new Set<string | undefined>();
		for (let round = 0; round < 10; round++) {
			for (const value of ['s1', 's1', 's2']) {
				info.writeState('s', 'k', '*', value);
				versions.add(info.readState('s', 'k')?.version);
			}
			info.writeState('s', 'k', '*', undefined);
		}
		expect(versions.size).toBe(30);
	});

	it('is apart from other keys and other sessions', () => {
		const info = new InMemoryInfoSessionManager();
		for (const id of ['a', 'b']) info.create(sampleRecord(id));
		for (const key of ['k', 'K', 'k:1', '__proto__']) info.writeState('a', key, undefined, `s${key}`);
		info.writeState('b', 'k', undefined, 'sof b');
		expect(info.readState('a', 'k')?.value).toBe('sk');
		expect(info.readState('b', 'K')).toBeUndefined();
		const listed = [...info.listState('a')].map(([key, { value }]) => [key, value]);
		expect(listed.sort()).toEqual(['K', '__proto__', 'k', 'k:1'].map((key) => [key, `s${key}`]));
	});

	it('is listed as it was, whatever is written later', () => {
		const info = new InMemoryInfoSessionManager();
		info.create(sampleRecord('s'));
		info.writeState('s', 'k', undefined, 's1');
		const listed = info.listState('s');
		info.writeState('s', 'k', '*', 's2');
		info.writeState('s', 'l', undefined, 's3');
		expect([...listed].map(([key, { value }]) => [key, value])).toEqual([['k', 's1']]);
	});
});

describe('a scan', () => {
	const pages = (info: InMemoryInfoSessionManager, limit: number, between: () => void = () => {}) => {
		const found: string[][] = [];
		let cursor: string | undefined;
		do {
			const page = info.scan(cursor, limit);
			found.push(page.records.map(({ id }) => id));
			cursor = page.cursor;
			between();
		} while (cursor !== undefined);
		return found;
	};

	it('finds every session once, in pages of the size that was asked for', () => {
		for (const count of [0, 1, 9, 10, 11, 100]) {
			const info = new InMemoryInfoSessionManager();
			const ids = Array.from({ length: count }, (_, index) => `s${index}`);
			for (const id of ids) info.create(sampleRecord(id));
			const found = pages(info, 10);
			expect(found.flat().sort()).toEqual(ids.sort());
			for (const page of found) expect(page.length).toBeLessThanOrEqual(10);
			expect(found.length).toBe(Math.max(1, Math.ceil(count / 10)));
		}
	});

	it('finds every session that stays, while others come and go', () => {
		const info = new InMemoryInfoSessionManager();
		for (let n = 0; n < 100; n++) info.create(sampleRecord(n % 2 === 0 ? `stays ${n}` : `goes ${n}`));
		let goes = 1;
		const found = pages(info, 10, () => {
			for (let n = 0; n < 5; n++, goes += 2) info.delete(`goes ${goes}`);
			if (goes < 50) info.create(sampleRecord(`comes ${goes}`));
		}).flat();
		expect(found.filter((id) => id.startsWith('stays'))).toHaveLength(50);
		expect(new Set(found).size).toBe(found.length);
	});

	it('can delete what it finds and still find all', () => {
		const info = new InMemoryInfoSessionManager();
		for (let n = 0; n < 95; n++) info.create(sampleRecord(`s${n}`));
		let cursor: string | undefined;
		do {
			const page = info.scan(cursor, 10);
			for (const { id } of page.records) info.delete(id);
			cursor = page.cursor;
		} while (cursor !== undefined);
		expect(info.stats().sessions).toBe(0);
	});

	it('passes over sessions that have expired', () => {
		const clock = new ManualClock();
		const info = new InMemoryInfoSessionManager({ clock, sweepIntervalMs: 1e9 });
		for (let n = 0; n < 30; n++) info.create(sampleRecord(`s${n}`, n % 3 === 0 ? {} : { endsAt: 10 }));
		clock.advance(10);
		expect(pages(info, 4).flat()).toEqual(Array.from({ length: 10 }, (_, index) => `s${index * 3}`));
	});

	it('comes to an end for any limit', () => {
		const info = new InMemoryInfoSessionManager();
		for (let n = 0; n < 5; n++) info.create(sampleRecord(`s${n}`));
		for (const limit of [0, -1, 1, 1e9]) expect(pages(info, limit).flat()).toHaveLength(5);
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
		expect(info.stats()).toEqual({ sessions: 0, subscriptions: 0, stateValues: 0 });
		expect(info.getSubscriptions('x:1')).toEqual([]);
		expect(() => info.create(sampleRecord('t'))).toThrow(expect.objectContaining({ code: 'closed' }));
	});
});
