import assert from 'node:assert/strict';
import type { SessionRecord } from '@holdfast/session-manager';
import type { ContractCase } from '../contract-case.js';
import { infoPromises } from '../info-promises.js';
import { sampleRecord } from '../sample-record.js';
import { assertUnknown, pages } from './unknown-session.js';

function fullRecord(): Required<Omit<SessionRecord, 'kind'>> {
	const now = Date.now();
	return {
		id: 'full',
		principal: 'https://issuer.example|alice',
		remoteAddress: '2001:db8::1',
		claims: { sub: 'alice', scopes: ['read', 'write'], nested: { deep: [1, null, true, 'ä'], empty: {} } },
		protocolVersion: '2025-06-18',
		initializeParams: {
			protocolVersion: '2025-06-18',
			clientInfo: { name: 'client', version: '2.0.0', title: 'A client' },
			capabilities: { sampling: {}, elicitation: { form: {} } },
			_meta: { 'example/key': 1 },
		},
		serverCapabilities: { tools: { listChanged: true }, logging: {} },
		logLevel: 'warning',
		createdAt: now - 2_000,
		broadcastsSince: '1a2b-3c',
		lastUsedAt: now - 1_000,
		idleTtlMs: 60_000,
		endsAt: now + 1_000_000,
		status: 'active',
		transport: 'sse',
		keepEndedMs: 5_000,
	};
}

/** The record of a session, on any peer. */
export const recordCases: readonly ContractCase[] = [
	{
		id: 'info/record-round-trip',
		promise: infoPromises.read,
		title: 'a record comes back on another peer with every field as it was stored',
		needs: ['info'],
		async run(context) {
			const [a, b] = await context.info();
			const full = fullRecord();
			const bare = sampleRecord('bare');
			assert.equal(await a.create(full), true);
			assert.equal(await a.create(bare), true);
			assert.deepEqual(await b.read('full'), full);
			assert.deepEqual(await b.read('bare'), bare);
		},
	},
	{
		id: 'info/create',
		promise: infoPromises.create,
		title: 'a session created on one peer exists on every peer, without subscriptions and state',
		needs: ['info'],
		async run(context) {
			const [a, b] = await context.info();
			const [first, second] = [sampleRecord('a', { principal: 'alice' }), sampleRecord('b')];
			assert.deepEqual([await a.create(first), await b.create(second)], [true, true]);
			for (const info of [a, b]) {
				assert.deepEqual([await info.read('a'), await info.read('b')], [first, second]);
				assert.deepEqual(await info.getSubscribedUris('a'), []);
				assert.deepEqual(await info.listState('a'), new Map());
				assert.equal(await info.readEnded('a'), undefined);
			}
		},
	},
	{
		id: 'info/create-taken',
		promise: infoPromises.taken,
		title: 'a record is not replaced by a second one with the same id',
		needs: ['info'],
		async run(context) {
			const [a, b] = await context.info();
			await a.create(sampleRecord('s', { principal: 'alice' }));
			await a.addSubscription('s', 'file:///a');
			await a.writeState('s', 'k', undefined, 's1');
			assert.equal(await b.create(sampleRecord('s', { principal: 'mallory' })), false);
			assert.equal((await b.read('s'))?.principal, 'alice');
			assert.deepEqual(await b.getSubscribedUris('s'), ['file:///a']);
			assert.equal((await b.readState('s', 'k'))?.value, 's1');
		},
	},
	{
		id: 'info/create-race',
		promise: infoPromises.atomic,
		title: 'of 20 concurrent creations of the same session, one succeeds',
		needs: ['info'],
		async run(context) {
			const [a, b] = await context.info();
			const created = await Promise.all(
				Array.from({ length: 20 }, (_, n) => (n % 2 === 0 ? a : b).create(sampleRecord('s', { principal: `${n}` }))),
			);
			assert.equal(created.filter(Boolean).length, 1);
			assert.equal((await a.read('s'))?.principal, `${created.indexOf(true)}`);
		},
	},
	{
		id: 'info/update',
		promise: infoPromises.update,
		title: 'an update changes only the fields that it names',
		needs: ['info'],
		async run(context) {
			const [a, b] = await context.info();
			const full = fullRecord();
			await a.create(sampleRecord('other'));
			const patches = [
				{ logLevel: 'error' },
				{ endsAt: (full.endsAt ?? 0) + 5_000_000 },
				{ idleTtlMs: 30_000 },
				{ initializeParams: { clientInfo: { name: 'other', version: '1' } } },
				{ protocolVersion: '2025-11-25', serverCapabilities: { resources: { subscribe: true } } },
				{ status: 'suspended' },
				{ logLevel: undefined, endsAt: undefined, idleTtlMs: undefined },
				{},
			] as const;
			for (const [index, patch] of patches.entries()) {
				const record = { ...full, id: `full ${index}`.replace(' ', '-') };
				await a.create(record);
				assert.equal(await b.update(record.id, patch), true);
				const expected = Object.entries({ ...record, ...patch }).filter(([, value]) => value !== undefined);
				const read = Object.entries((await a.read(record.id)) ?? {}).filter(([, value]) => value !== undefined);
				assert.deepEqual(Object.fromEntries(read), Object.fromEntries(expected));
			}
			assert.deepEqual(await b.read('other'), sampleRecord('other'));
		},
	},
	{
		id: 'info/update-race',
		promise: infoPromises.atomic,
		title: 'updates of different fields from different peers at once are all kept',
		needs: ['info'],
		async run(context) {
			const [a, b] = await context.info();
			for (let round = 0; round < 20; round++) {
				const id = `s${round}`;
				await a.create(sampleRecord(id, { lastUsedAt: 1 }));
				await Promise.all([
					a.update(id, { logLevel: 'alert' }),
					b.update(id, { idleTtlMs: 5e14 }),
					a.update(id, { endsAt: 5e14 }),
					b.touch(id, 2),
				]);
				const { logLevel, idleTtlMs, endsAt, lastUsedAt } = (await a.read(id)) ?? {};
				assert.deepEqual(
					{ logLevel, idleTtlMs, endsAt, lastUsedAt },
					{ logLevel: 'alert', idleTtlMs: 5e14, endsAt: 5e14, lastUsedAt: 2 },
				);
			}
		},
	},
	{
		id: 'info/deleted',
		promise: infoPromises.delete,
		title: 'a deleted session reads as nothing, accepts no writes, and can be created again without its old data',
		needs: ['info'],
		async run(context) {
			const [a, b] = await context.info();
			await a.create(sampleRecord('s', { principal: 'alice', keepEndedMs: 60_000 }));
			await a.addSubscription('s', 'file:///a');
			await a.writeState('s', 'key', undefined, 's1');
			assert.equal(await b.delete('s'), true);
			for (const info of [a, b]) {
				await assertUnknown(info, 's');
				assert.equal(await info.readEnded('s'), undefined);
				assert.deepEqual(await info.sessionsOf('alice'), []);
			}
			assert.equal(await a.create(sampleRecord('s')), true);
			assert.deepEqual(await a.getSubscribedUris('s'), []);
			assert.deepEqual(await a.listState('s'), new Map());
		},
	},
	{
		id: 'info/delete-race',
		promise: infoPromises.unknown,
		title: 'nothing that happens at the same time brings a deleted session back',
		needs: ['info'],
		async run(context) {
			const [a, b] = await context.info();
			for (let round = 0; round < 30; round++) {
				const id = `s${round}`;
				await a.create(sampleRecord(id));
				await Promise.all([
					a.touch(id, 1),
					b.delete(id),
					a.addSubscription(id, 'file:///a'),
					a.writeState(id, 'key', '*', 's1'),
					a.update(id, { logLevel: 'debug' }),
					a.setClientInfo(id, { name: 'late', version: '0' }),
				]);
				await assertUnknown(b, id);
			}
		},
	},
	{
		id: 'info/touch',
		promise: infoPromises.touch,
		title: 'a touch with an older time changes nothing',
		needs: ['info'],
		async run(context) {
			const [a, b] = await context.info();
			await a.create(sampleRecord('s', { lastUsedAt: 100 }));
			assert.equal(await b.touch('s', 200), true);
			assert.equal(await a.touch('s', 150), true);
			assert.equal((await b.read('s'))?.lastUsedAt, 200);
		},
	},
	{
		id: 'info/scan-pages',
		promise: infoPromises.pages,
		title: 'a scan finds every session once, in pages of about the requested size',
		needs: ['info'],
		async run(context) {
			const [a, b] = await context.info();
			assert.deepEqual(await pages(a, 10), [[]]);
			const ids = Array.from({ length: 100 }, (_, index) => `s${index}`);
			for (const id of ids) await a.create(sampleRecord(id));
			const found = await pages(b, 10);
			assert.deepEqual(found.flat().sort(), [...ids].sort());
			for (const page of found) assert.ok(page.length <= 10);
			for (const limit of [0, -1, 1, 1e9]) assert.equal((await pages(a, limit)).flat().length, 100);
		},
	},
	{
		id: 'info/scan-end',
		promise: infoPromises.cursor,
		title: 'only the last page of a scan has no cursor',
		needs: ['info'],
		async run(context) {
			const [a, b] = await context.info();
			assert.equal((await b.scan(undefined, 10)).cursor, undefined);
			for (let n = 0; n < 15; n++) await a.create(sampleRecord(`s${n}`));
			const first = await b.scan(undefined, 10);
			assert.notEqual(first.cursor, undefined);
			// A cursor belongs to the store, not to the manager that returned it.
			const rest = await a.scan(first.cursor, 100);
			assert.equal(rest.cursor, undefined);
			const ids = [...first.records, ...rest.records].map(({ id }) => id);
			assert.deepEqual([new Set(ids).size, ids.length], [15, 15]);
		},
	},
	{
		id: 'info/scan-while-changing',
		promise: infoPromises.scan,
		title: 'a scan finds every session that stays, once, while others come, go and are used',
		needs: ['info'],
		async run(context) {
			const [a, b] = await context.info();
			const now = Date.now();
			for (let n = 0; n < 100; n++) {
				await a.create(sampleRecord(n % 2 === 0 ? `stays${n}` : `goes${n}`, { lastUsedAt: now, idleTtlMs: 60_000 }));
			}
			let goes = 1;
			const found = (
				await pages(a, 10, async () => {
					for (let n = 0; n < 5; n++, goes += 2) await b.delete(`goes${goes}`);
					for (let n = 0; n < 100; n += 10) await b.touch(`stays${n}`, now + 1_000 + goes);
					if (goes < 50) await b.create(sampleRecord(`comes${goes}`));
				})
			).flat();
			assert.equal(found.filter((id) => id.startsWith('stays')).length, 50);
			assert.equal(new Set(found).size, found.length);
		},
	},
	{
		id: 'info/scan-and-delete',
		promise: infoPromises.scan,
		title: 'a scan finds every session even if those it has returned are deleted meanwhile',
		needs: ['info'],
		async run(context) {
			const [a, b] = await context.info();
			for (let n = 0; n < 95; n++) await a.create(sampleRecord(`s${n}`));
			let deleted = 0;
			let cursor: string | undefined;
			do {
				const page = await a.scan(cursor, 10);
				for (const { id } of page.records) if (await b.delete(id)) deleted++;
				cursor = page.cursor;
			} while (cursor !== undefined);
			assert.equal(deleted, 95);
		},
	},
];
