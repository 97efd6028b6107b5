import assert from 'node:assert/strict';
import { codeOf } from '../code-of.js';
import type { ContractCase } from '../contract-case.js';
import { infoPromises } from '../info-promises.js';
import { sampleRecord } from '../sample-record.js';
import { until } from '../until.js';
import { assertUnknown, pages } from './unknown-session.js';

/** Records that are no sessions, on any peer. */
export const kindCases: readonly ContractCase[] = [
	{
		id: 'info/kind',
		promise: infoPromises.kind,
		title: 'a record of a kind comes back as it was stored, has state, can be changed, and is gone once it is deleted',
		needs: ['info', 'kinds'],
		async run(context) {
			const [a, b] = await context.info();
			const record = sampleRecord('task 1', { kind: 'task', principal: 'alice' });
			assert.equal(await a.create(record), true);
			assert.equal(await b.create(record), false);
			assert.deepEqual(await b.read('task 1'), record);
			assert.equal(await b.writeState('task 1', 'key', undefined, 's1'), true);
			assert.equal((await a.readState('task 1', 'key'))?.value, 's1');
			assert.equal(await a.touch('task 1', 7), true);
			const endsAt = Date.now() + 1e9;
			assert.equal(await b.update('task 1', { endsAt }), true);
			assert.deepEqual(await a.read('task 1'), { ...record, lastUsedAt: 7, endsAt });
			assert.equal(await b.delete('task 1'), true);
			for (const info of [a, b]) await assertUnknown(info, 'task 1');
		},
	},
	{
		id: 'info/kind-expires',
		promise: infoPromises.kind,
		title: 'a record of a kind expires as a session does, and is freed',
		needs: ['info', 'kinds'],
		async run(context) {
			const [a, b] = await context.info();
			const now = Date.now();
			await a.create(sampleRecord('t', { kind: 'task', principal: 'alice', lastUsedAt: now, idleTtlMs: 100 }));
			await until('the record expires', async () => (await b.read('t')) === undefined);
			await b.removeExpired(10);
			await assertUnknown(b, 't');
			assert.deepEqual(await a.sessionsOf('alice', 'task'), []);
			assert.equal(await a.create(sampleRecord('t')), true);
		},
	},
	{
		id: 'info/kind-scan',
		promise: infoPromises.kindIsNoSession,
		title: 'a scan passes over records of a kind, also after they were used and changed',
		needs: ['info', 'kinds'],
		async run(context) {
			const [a, b] = await context.info();
			for (const n of [1, 2, 3]) {
				await a.create(sampleRecord(`s${n}`));
				await b.create(sampleRecord(`t${n}`, { kind: 'task' }));
			}
			await a.touch('t1', 1);
			await b.update('t2', { endsAt: Date.now() + 1e9 });
			for (const limit of [1, 2, 100]) assert.deepEqual((await pages(b, limit)).flat().sort(), ['s1', 's2', 's3']);
		},
	},
	{
		id: 'info/kind-full',
		promise: infoPromises.kindIsNoSession,
		title: 'a store full of sessions takes a record of a kind, which takes no place of a session',
		needs: ['info', 'kinds', 'capacity'],
		async run(context) {
			const [a, b] = await context.info(2, { maxSessions: 2 });
			assert.equal(await a.create(sampleRecord('t1', { kind: 'task' })), true);
			for (const id of ['s1', 's2']) assert.equal(await b.create(sampleRecord(id)), true);
			assert.equal(await b.create(sampleRecord('t2', { kind: 'task' })), true);
			assert.equal(await codeOf(() => a.create(sampleRecord('s3'))), 'limit');
			await a.touch('t1', 1);
			await b.delete('t1');
			assert.equal(await codeOf(() => b.create(sampleRecord('s3'))), 'limit');
			await a.delete('s1');
			assert.equal(await b.create(sampleRecord('s3')), true);
		},
	},
	{
		id: 'info/kind-limit',
		promise: infoPromises.kindsLimit,
		title: 'of 20 records created at once, of two kinds, as many succeed as the store may hold sessions',
		needs: ['info', 'kinds', 'capacity'],
		async run(context) {
			const [a, b] = await context.info(2, { maxSessions: 5 });
			const kinds = ['task', 'handle'] as const;
			const create = (n: number) =>
				codeOf(() =>
					(n % 2 ? a : b).create(sampleRecord(`r${n}`, { kind: kinds[n % 4 < 2 ? 0 : 1], principal: 'alice' })),
				);
			const results = await Promise.all(Array.from({ length: 20 }, (_, n) => create(n)));
			assert.equal(results.filter((result) => result === true).length, 5);
			assert.equal(results.filter((result) => result === 'limit').length, 15);
			const kept = (await Promise.all(kinds.map((kind) => a.sessionsOf('alice', kind)))).flat();
			assert.equal(kept.length, 5);
			assert.equal(await a.create(sampleRecord('s')), true);
			await b.delete(kept[0] ?? '');
			const brief = { kind: 'task', principal: 'alice', lastUsedAt: Date.now(), idleTtlMs: 50 };
			assert.equal(await b.create(sampleRecord('brief', brief)), true);
			const another = sampleRecord('another', { kind: 'task', principal: 'alice' });
			await until('a record that expired makes room', async () => (await codeOf(() => a.create(another))) === true);
		},
	},
	{
		id: 'info/kind-strangers',
		promise: infoPromises.kindsOfStrangers,
		title: 'of records without a principal a store takes no more once three quarters of its room are taken',
		needs: ['info', 'kinds', 'capacity'],
		async run(context) {
			const [a, b] = await context.info(2, { maxSessions: 8 });
			const create = (n: number, principal?: string) =>
				codeOf(() => (n % 2 ? a : b).create(sampleRecord(`r${n}`, { kind: n % 3 ? 'task' : 'handle', principal })));
			for (let n = 0; n < 6; n++) assert.equal(await create(n), true);
			assert.equal(await create(6), 'limit');
			for (const n of [6, 7]) assert.equal(await create(n, 'alice'), true);
			assert.equal(await create(8, 'bob'), 'limit');
			for (const n of [0, 1]) await b.delete(`r${n}`);
			assert.equal(await create(8), 'limit');
			await a.delete('r2');
			assert.equal(await create(8), true);
			// Sessions make room by themselves.
			for (let n = 0; n < 8; n++) assert.equal(await b.create(sampleRecord(`s${n}`)), true);
		},
	},
	{
		id: 'info/kind-principal-limit',
		promise: infoPromises.perPrincipal,
		title: "a principal's records count with those of the same kind, of 20 created at once too",
		needs: ['info', 'kinds'],
		async run(context) {
			const [a, b] = await context.info();
			const create = (id: string, kind?: string) =>
				codeOf(() => b.create(sampleRecord(id, { principal: 'alice', kind }), { perPrincipal: 2 }));
			for (const id of ['s1', 's2']) assert.equal(await create(id), true);
			const results = await Promise.all(Array.from({ length: 20 }, (_, n) => create(`t${n}`, 'task')));
			assert.equal(results.filter((result) => result === true).length, 2);
			assert.equal(results.filter((result) => result === 'principal-limit').length, 18);
			for (const id of ['h1', 'h2']) assert.equal(await create(id, 'handle'), true);
			assert.equal(await create('h3', 'handle'), 'principal-limit');
			assert.equal(await create('s3'), 'principal-limit');
			await a.end('h1', Date.now(), 'done');
			assert.equal(await create('h3', 'handle'), true);
			assert.equal(await create('s3'), 'principal-limit');
		},
	},
	{
		id: 'info/kind-of-principal',
		promise: infoPromises.ofKind,
		title: "a principal's sessions and its records of each kind are found apart",
		needs: ['info', 'kinds'],
		async run(context) {
			const [a, b] = await context.info();
			for (const principal of ['alice', 'bob', 'task\nalice', 'alice:task']) {
				await a.create(sampleRecord(`s ${principal}`, { principal }));
				await b.create(sampleRecord(`t ${principal}`, { principal, kind: 'task' }));
				await a.create(sampleRecord(`h ${principal}`, { principal, kind: 'handle' }));
			}
			await b.touch('t alice', 1);
			for (const info of [a, b]) {
				assert.deepEqual(await info.sessionsOf('alice'), ['s alice']);
				assert.deepEqual(await info.sessionsOf('alice', 'task'), ['t alice']);
				assert.deepEqual(await info.sessionsOf('alice', 'handle'), ['h alice']);
				for (const kind of ['Task', 'tas', '', 'living']) assert.deepEqual(await info.sessionsOf('alice', kind), []);
			}
			await b.delete('t alice');
			assert.deepEqual(await a.sessionsOf('alice', 'task'), []);
			assert.deepEqual(await a.sessionsOf('alice'), ['s alice']);
		},
	},
	{
		id: 'info/kind-room',
		promise: infoPromises.kindStays,
		title: 'a record of a kind never ends to make room, however many there are and however long they were unused',
		needs: ['info', 'kinds', 'makesRoom'],
		async run(context) {
			const [a, b] = await context.info();
			for (let n = 0; n < 5; n++) await a.create(sampleRecord(`t${n}`, { kind: 'task', principal: 'alice' }));
			await b.create(sampleRecord('anonymous', { kind: 'task' }));
			await a.create(sampleRecord('bobs', { principal: 'bob', lastUsedAt: 1e6 }));
			await b.create(sampleRecord('alices', { principal: 'alice', lastUsedAt: 2e6 }));
			assert.equal(await b.endUnused(Date.now(), 'room', 'alice'), 'alices');
			assert.equal(await a.endUnused(Date.now(), 'room', 'alice'), undefined);
			assert.equal(await a.endUnused(Date.now(), 'room'), 'bobs');
			assert.equal(await b.endUnused(Date.now(), 'room'), undefined);
			assert.equal((await b.sessionsOf('alice', 'task')).length, 5);
		},
	},
];
