import assert from 'node:assert/strict';
import type { InfoSessionManager } from '@holdfast/session-manager';
import { codeOf } from '../code-of.js';
import type { ContractCase } from '../contract-case.js';
import { infoPromises } from '../info-promises.js';
import { sampleRecord } from '../sample-record.js';
import { until } from '../until.js';
import { assertUnknown, pages } from './unknown-session.js';

const HOUR = 3_600_000;

/** How sessions change status, end, are kept, and are counted, on any peer. */
export const lifeCases: readonly ContractCase[] = [
	{
		id: 'info/status',
		promise: infoPromises.status,
		title: 'a status changes only from the one that was expected, with all that changes with it',
		needs: ['info'],
		async run(context) {
			const [a, b] = await context.info();
			await a.create(sampleRecord('s', { status: 'opening', transport: 'sse', idleTtlMs: 1e14 }));
			assert.equal(await b.update('s', { logLevel: 'debug' }, 'active'), false);
			assert.equal((await a.read('s'))?.logLevel, undefined);
			const opened = { protocolVersion: '2024-11-05', serverCapabilities: { tools: {} }, status: 'active' } as const;
			assert.equal(await b.update('s', { ...opened, idleTtlMs: 2e14 }, 'opening'), true);
			assert.equal(await a.update('s', opened, 'opening'), false);
			const { idleTtlMs, transport, status, protocolVersion, serverCapabilities } = (await a.read('s')) ?? {};
			assert.deepEqual(
				{ idleTtlMs, transport, status, protocolVersion, serverCapabilities },
				{ ...opened, idleTtlMs: 2e14, transport: 'sse' },
			);
			await a.create(sampleRecord('plain'));
			assert.equal(await b.update('plain', { status: 'suspended' }, 'active'), true);
			assert.equal(await b.update('plain', { status: 'suspended' }, 'active'), false);
			assert.equal((await a.read('plain'))?.status, 'suspended');
		},
	},
	{
		id: 'info/status-race',
		promise: infoPromises.status,
		title: 'of 20 concurrent changes of a status, one succeeds',
		needs: ['info'],
		async run(context) {
			const [a, b] = await context.info();
			await a.create(sampleRecord('s'));
			for (const [from, status] of [
				['active', 'suspended'],
				['suspended', 'active'],
			] as const) {
				const changed = await Promise.all(
					Array.from({ length: 20 }, (_, n) => (n % 2 === 0 ? a : b).update('s', { status, endsAt: 1e14 + n }, from)),
				);
				assert.equal(changed.filter(Boolean).length, 1);
				assert.equal((await b.read('s'))?.endsAt, 1e14 + changed.indexOf(true));
			}
		},
	},
	{
		id: 'info/ended-kept',
		promise: infoPromises.ended,
		title: 'an ended session is unknown; where it is kept, record, reason and state can be read and not changed',
		needs: ['info', 'keepsEnded'],
		async run(context) {
			const [a, b] = await context.info();
			const record = sampleRecord('s', { principal: 'alice', keepEndedMs: HOUR });
			await a.create(record);
			await a.addSubscription('s', 'file:///a');
			await a.writeState('s', 'cart', undefined, 's1');
			const before = await a.readState('s', 'cart');
			assert.equal(await a.readEnded('s'), undefined);
			const at = Date.now() - 1_000;
			assert.equal(await b.end('s', at, 'the operator ended it'), true);
			assert.equal(await a.end('s', at + 1, 'too late'), false);
			for (const info of [a, b]) {
				assert.deepEqual(await info.readEnded('s'), { record, endedAt: at, reason: 'the operator ended it' });
				assert.deepEqual([...(await info.listState('s'))], [['cart', before]]);
				assert.deepEqual(await info.readState('s', 'cart'), before);
				await assertTakesNoWrites(info, 's');
			}
			assert.deepEqual([...(await b.listState('s'))], [['cart', before]]);
			assert.equal(await a.create(sampleRecord('s')), false);
			assert.equal(await a.delete('s'), true);
			await assertGone(b, 's');
		},
	},
	{
		id: 'info/ended-record',
		promise: infoPromises.endedRecord,
		title: 'what is kept of an ended session is what it was last, with its status, time and reason',
		needs: ['info', 'keepsEnded'],
		async run(context) {
			const [a, b] = await context.info();
			const record = sampleRecord('s', { keepEndedMs: HOUR, transport: 'sse', claims: { sub: 'alice' } });
			await a.create(record);
			await b.update('s', { status: 'suspended', logLevel: 'error', protocolVersion: '2025-06-18' });
			await b.touch('s', 5);
			const last = await a.read('s');
			const endedAt = Date.now() - 500;
			await a.end('s', endedAt, 'ended – "by hand"\n€');
			assert.deepEqual(await b.readEnded('s'), { record: last, endedAt, reason: 'ended – "by hand"\n€' });
			assert.deepEqual([last?.status, last?.logLevel, last?.lastUsedAt], ['suspended', 'error', 5]);
		},
	},
	{
		id: 'info/ended-kept-so-long',
		promise: infoPromises.keepEnded,
		title: 'an ended session is removed when `keepEndedMs` is over, and at once without it',
		needs: ['info', 'keepsEnded'],
		async run(context) {
			const [a, b] = await context.info();
			await a.create(sampleRecord('brief', { principal: 'alice', keepEndedMs: 200 }));
			await a.create(sampleRecord('not-kept', { principal: 'alice' }));
			for (const id of ['brief', 'not-kept']) {
				await a.writeState(id, 'key', undefined, 's1');
				await a.addSubscription(id, 'file:///a');
			}
			const at = Date.now();
			for (const id of ['brief', 'not-kept']) assert.equal(await b.end(id, at, 'done'), true);
			await assertGone(a, 'not-kept');
			await until('nothing is left', async () => (await a.readEnded('brief')) === undefined);
			assert.ok(Date.now() >= at + 200, 'It was forgotten too early.');
			await assertGone(b, 'brief');
			// A list may be a little behind the sessions themselves.
			await until('nothing is listed', async () => (await a.sessionsOf('alice')).length === 0);
			assert.equal(await b.create(sampleRecord('brief')), true);
			assert.equal(await a.readState('brief', 'key'), undefined);
		},
	},
	{
		id: 'info/ended',
		promise: infoPromises.end,
		title: 'an ended session that is not kept leaves nothing, and its id can be used again',
		needs: ['info'],
		async run(context) {
			const [a, b] = await context.info();
			await a.create(sampleRecord('s', { principal: 'alice' }));
			await a.addSubscription('s', 'file:///a');
			await a.writeState('s', 'key', undefined, 's1');
			assert.equal(await b.end('s', Date.now(), 'done'), true);
			await assertGone(a, 's');
			assert.deepEqual(await a.sessionsOf('alice'), []);
			assert.equal(await a.create(sampleRecord('s')), true);
			assert.deepEqual(await b.listState('s'), new Map());
		},
	},
	{
		id: 'info/expired-kept',
		promise: infoPromises.expires,
		title: 'a session that expires ends at that time, is kept as long as it says, and then leaves nothing',
		needs: ['info', 'keepsEnded'],
		async run(context) {
			const [a, b] = await context.info();
			const kept = sampleRecord('kept', { principal: 'alice', lastUsedAt: Date.now(), keepEndedMs: HOUR });
			const brief = sampleRecord('brief', { principal: 'alice', keepEndedMs: 50 });
			for (const record of [kept, brief]) {
				await a.create(record);
				await a.writeState(record.id, 'key', undefined, 's1');
				await a.addSubscription(record.id, 'file:///a');
			}
			const idleTtlMs = Date.now() - kept.lastUsedAt + 50;
			await a.update('kept', { idleTtlMs });
			await a.update('brief', { endsAt: Date.now() + 50 });
			await until('it expires', async () => (await b.read('kept')) === undefined);
			await until('the other expires', async () => (await b.read('brief')) === undefined);
			assert.deepEqual(await b.readEnded('kept'), {
				record: { ...kept, idleTtlMs },
				endedAt: kept.lastUsedAt + idleTtlMs,
				reason: 'expired',
			});
			assert.equal((await b.readState('kept', 'key'))?.value, 's1');
			await assertTakesNoWrites(a, 'kept');
			await until('nothing is left', async () => (await b.readEnded('brief')) === undefined);
			await assertGone(a, 'brief');
			assert.deepEqual(await a.sessionsOf('alice'), ['kept']);
		},
	},
	{
		id: 'info/scan-living',
		promise: infoPromises.scanLiving,
		title: 'a scan passes over sessions that have ended or expired, also where they are kept',
		needs: ['info', 'keepsEnded'],
		async run(context) {
			const [a, b] = await context.info();
			const used = Date.now();
			for (const id of ['lives', 'ended', 'expired']) await a.create(sampleRecord(id, { keepEndedMs: HOUR }));
			await a.update('expired', { endsAt: used + 50 });
			await a.end('ended', Date.now(), 'done');
			await until('it expires', async () => (await b.read('expired')) === undefined);
			for (const info of [a, b]) {
				for (const id of ['ended', 'expired']) assert.notEqual(await info.readEnded(id), undefined);
				for (const size of [1, 100]) assert.deepEqual((await pages(info, size)).flat(), ['lives']);
			}
		},
	},
	{
		id: 'info/sessions-of-principal',
		promise: infoPromises.sessionsOf,
		title: 'the sessions of a principal are found on every peer, and nobody else’s',
		needs: ['info'],
		async run(context) {
			const [a, b] = await context.info();
			const principals = [
				'alice',
				'Alice',
				'alice ',
				'https://issuer.example alice',
				'*',
				'a:b',
				'{a}',
				'__proto__',
				'ä€😀',
			];
			for (const principal of principals) {
				assert.deepEqual(await b.sessionsOf(principal), []);
				for (const n of [1, 2, 3]) await a.create(sampleRecord(`${principals.indexOf(principal)}-${n}`, { principal }));
			}
			await a.create(sampleRecord('anonymous'));
			for (const [index, principal] of principals.entries()) {
				assert.deepEqual(
					[...(await b.sessionsOf(principal))].sort(),
					[1, 2, 3].map((n) => `${index}-${n}`),
				);
			}
			await a.end('0-2', Date.now(), 'done');
			await a.delete('1-2');
			assert.deepEqual([...(await b.sessionsOf('alice'))].sort(), ['0-1', '0-3']);
			assert.deepEqual([...(await b.sessionsOf('Alice'))].sort(), ['1-1', '1-3']);
		},
	},
	{
		id: 'info/ended-sessions-of-principal',
		promise: infoPromises.sessionsOf,
		title: 'an ended session that is kept is still one of its principal, until it is deleted',
		needs: ['info', 'keepsEnded'],
		async run(context) {
			const [a, b] = await context.info();
			for (const id of ['kept', 'lives']) await a.create(sampleRecord(id, { principal: 'alice', keepEndedMs: HOUR }));
			await a.end('kept', Date.now(), 'done');
			assert.deepEqual([...(await b.sessionsOf('alice'))].sort(), ['kept', 'lives']);
			await b.delete('kept');
			assert.deepEqual(await a.sessionsOf('alice'), ['lives']);
		},
	},
	{
		id: 'info/principal-limit-race',
		promise: infoPromises.limits,
		title: 'of 20 sessions that one principal creates at once, as many succeed as it may have',
		needs: ['info'],
		async run(context) {
			const [a, b] = await context.info();
			for (let round = 0; round < 5; round++) {
				const principal = `alice ${round}`;
				const limits = { perPrincipal: 5 };
				const results = await Promise.all(
					Array.from({ length: 20 }, (_, n) =>
						codeOf(() => (n % 2 === 0 ? a : b).create(sampleRecord(`s${round}-${n}`, { principal }), limits)),
					),
				);
				assert.equal(results.filter((result) => result === true).length, 5);
				assert.equal(results.filter((result) => result === 'principal-limit').length, 15);
				assert.equal((await b.sessionsOf(principal)).length, 5);
			}
			assert.equal((await pages(a, 100)).flat().length, 25);
		},
	},
	{
		id: 'info/principal-limit',
		promise: infoPromises.limitsLiving,
		title: 'sessions that ended, expired or were deleted no longer count, other sessions of the principal do',
		needs: ['info'],
		async run(context) {
			const [a, b] = await context.info();
			const limits = { perPrincipal: 2 };
			const create = (info: InfoSessionManager, id: string, given: object = {}) =>
				codeOf(() => info.create(sampleRecord(id, { principal: 'alice', keepEndedMs: HOUR, ...given }), limits));
			assert.equal(await create(a, 'stays'), true);
			assert.equal(await create(b, 'ends'), true);
			assert.equal(await create(a, 'one-too-many'), 'principal-limit');
			await assertGone(b, 'one-too-many');
			assert.equal(await a.create(sampleRecord('bob', { principal: 'bob' }), limits), true);
			assert.equal(await a.create(sampleRecord('anonymous'), limits), true);
			assert.equal(await create(a, 'stays'), false);
			await a.end('ends', Date.now(), 'done');
			assert.equal(await create(b, 'deleted'), true);
			assert.equal(await create(b, 'one-too-many'), 'principal-limit');
			await b.delete('deleted');
			assert.equal(await create(b, 'expires', { lastUsedAt: Date.now(), idleTtlMs: 50 }), true);
			await until('it expires', async () => (await a.read('expires')) === undefined);
			// It may be counted by a clock that is a moment behind.
			await until('its place is free', async () => (await create(a, 'last')) === true);
			assert.equal(await create(a, 'one-too-many'), 'principal-limit');
		},
	},
];

async function assertTakesNoWrites(info: InfoSessionManager, id: string): Promise<void> {
	assert.equal(await info.read(id), undefined);
	assert.equal(await info.update(id, { logLevel: 'debug' }), false);
	assert.equal(await info.touch(id, 1e15), false);
	assert.equal(await info.addSubscription(id, 'file:///b'), false);
	assert.deepEqual(await info.getSubscribedUris(id), []);
	assert.equal((await info.getSubscriptions('file:///a')).includes(id), false);
	for (const value of ['s9', undefined]) assert.equal(await info.writeState(id, 'cart', '*', value), false);
	assert.equal((await pages(info, 100)).flat().includes(id), false);
}

async function assertGone(info: InfoSessionManager, id: string): Promise<void> {
	await assertUnknown(info, id);
	assert.equal(await info.readEnded(id), undefined);
}
