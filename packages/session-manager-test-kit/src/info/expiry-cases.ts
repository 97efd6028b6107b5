import assert from 'node:assert/strict';
import type { ContractCase } from '../contract-case.js';
import { infoPromises } from '../info-promises.js';
import { sampleRecord } from '../sample-record.js';
import { until } from '../until.js';
import { assertUnknown, pages } from './unknown-session.js';

/** The expiry of sessions, on any peer. */
export const expiryCases: readonly ContractCase[] = [
	{
		id: 'info/expires-idle',
		promise: infoPromises.idle,
		title:
			'a session that was not used for so long is unknown, with all that belongs to it, and is made anew without it',
		needs: ['info'],
		async run(context) {
			const [a, b] = await context.info();
			const usedAt = Date.now();
			await a.create(sampleRecord('s', { lastUsedAt: usedAt, principal: 'alice' }));
			await a.addSubscription('s', 'file:///a');
			await a.writeState('s', 'key', undefined, 's1');
			const idleTtlMs = Date.now() - usedAt + 100;
			assert.equal(await a.update('s', { idleTtlMs }), true);
			await until('the session expires', async () => (await b.read('s')) === undefined);
			assert.ok(Date.now() >= usedAt + idleTtlMs, 'The session expired too early.');
			await assertUnknown(b, 's');
			await assertUnknown(a, 's');
			assert.equal(await b.create(sampleRecord('s')), true);
			assert.deepEqual(await a.getSubscribedUris('s'), []);
			assert.deepEqual(await a.getSubscriptions('file:///a'), []);
			assert.deepEqual(await a.listState('s'), new Map());
		},
	},
	{
		id: 'info/expires-at-end',
		promise: infoPromises.endsAt,
		title: 'a session expires at its end however often it is used',
		needs: ['info'],
		async run(context) {
			const [a, b] = await context.info();
			const endsAt = Date.now() + 200;
			await a.create(sampleRecord('s', { lastUsedAt: Date.now(), idleTtlMs: 60_000, endsAt }));
			await until('the session has ended', async () => !(await b.touch('s', Date.now())));
			assert.ok(Date.now() >= endsAt, 'The session expired too early.');
			await assertUnknown(a, 's');
			assert.deepEqual(await pages(b, 10), [[]]);
		},
	},
	{
		id: 'info/touch-prolongs',
		promise: infoPromises.touch,
		title: 'a session lives on when it is used, with all that belongs to it',
		needs: ['info'],
		async run(context) {
			const [a, b] = await context.info();
			const usedAt = Date.now();
			const idleTtlMs = 60_000;
			for (const id of ['used', 'updated']) {
				// A minute is almost over.
				await a.create(sampleRecord(id, { lastUsedAt: usedAt - idleTtlMs + 1_000, idleTtlMs }));
				await a.addSubscription(id, 'file:///a');
				await a.writeState(id, 'key', undefined, 's1');
			}
			assert.equal(await b.touch('used', usedAt), true);
			assert.equal(await b.update('updated', { idleTtlMs: undefined }), true);
			await until('it would have expired', () => Date.now() > usedAt + 1_100);
			assert.deepEqual((await a.getSubscriptions('file:///a')).sort(), ['updated', 'used']);
			for (const id of ['used', 'updated']) {
				assert.notEqual(await b.read(id), undefined);
				assert.equal((await b.readState(id, 'key'))?.value, 's1');
			}
			assert.deepEqual((await pages(b, 10)).flat().sort(), ['updated', 'used']);
		},
	},
	{
		id: 'info/remove-expired',
		promise: infoPromises.removeExpired,
		title: 'freeing expired sessions leaves living ones untouched, on any peer',
		needs: ['info'],
		async run(context) {
			const [a, b] = await context.info();
			const living = sampleRecord('living', { principal: 'alice', lastUsedAt: Date.now(), idleTtlMs: 60_000 });
			const expired = Array.from({ length: 5 }, (_, n) =>
				sampleRecord(`expired-${n}`, { principal: 'alice', endsAt: Date.now() + 50 }),
			);
			for (const record of [living, sampleRecord('for-ever'), ...expired]) {
				await a.create(record);
				await a.addSubscription(record.id, 'file:///a');
				await a.writeState(record.id, 'key', undefined, 's1');
			}
			// How long each has left is counted from when the store heard of it.
			for (const { id } of expired) await until('it expires', async () => (await b.read(id)) === undefined);
			for (let round = 0; (await (round % 2 === 0 ? a : b).removeExpired(2)) > 0; round++) {
				assert.ok(round < 20, 'There is no end of sessions that have expired.');
			}
			assert.deepEqual(await b.read('living'), living);
			await until(
				'nothing is subscribed that expired',
				async () => (await a.getSubscriptions('file:///a')).length <= 2,
			);
			assert.deepEqual((await a.getSubscriptions('file:///a')).sort(), ['for-ever', 'living']);
			for (const id of ['living', 'for-ever']) assert.equal((await b.readState(id, 'key'))?.value, 's1');
			assert.deepEqual((await pages(b, 10)).flat().sort(), ['for-ever', 'living']);
			// A list may be a little behind the sessions themselves.
			await until('nothing is listed that expired', async () => (await b.sessionsOf('alice')).length <= 1);
			assert.deepEqual(await b.sessionsOf('alice'), ['living']);
			await assertUnknown(b, 'expired-0');
		},
	},
];
