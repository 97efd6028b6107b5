import assert from 'node:assert/strict';
import type { ContractCase } from '../contract-case.js';
import { infoPromises } from '../info-promises.js';
import { sampleRecord } from '../sample-record.js';
import { assertUnknown } from './unknown-session.js';

/** The results for an unknown session, or for anything else that does not exist, on any peer. */
export const unknownCases: readonly ContractCase[] = [
	{
		id: 'info/never-made',
		promise: infoPromises.unknown,
		title: 'a session that was never created reads as nothing and accepts no writes',
		needs: ['info'],
		async run(context) {
			const [a] = await context.info();
			for (const id of ['never', '', '__proto__', 'constructor', '{', '}', '*']) await assertUnknown(a, id);
		},
	},
	{
		id: 'info/set-unknown',
		promise: infoPromises.setUnknown,
		title: 'subscribing and setting return whether the session exists',
		needs: ['info'],
		async run(context) {
			const [a, b] = await context.info();
			await a.create(sampleRecord('s'));
			for (const [id, known] of [
				['s', true],
				['t', false],
			] as const) {
				assert.equal(await b.addSubscription(id, 'file:///a'), known);
				assert.equal(await b.setClientInfo(id, { name: 'renamed', version: '2' }), known);
				assert.equal(await b.setClientCapabilities(id, { sampling: {} }), known);
				assert.equal(await b.setLogLevel(id, 'error'), known);
			}
			assert.equal(await a.getClientInfo('t'), undefined);
			assert.deepEqual(await a.getSubscriptions('file:///a'), ['s']);
		},
	},
	{
		id: 'info/touch-unknown',
		promise: infoPromises.touchUnknown,
		title: 'a touch returns whether the session exists, on any peer',
		needs: ['info'],
		async run(context) {
			const [a, b] = await context.info();
			await a.create(sampleRecord('s'));
			assert.deepEqual([await b.touch('s', 1), await b.touch('t', 1)], [true, false]);
			await a.delete('s');
			assert.equal(await b.touch('s', 2), false);
		},
	},
	{
		id: 'info/delete-nothing',
		promise: infoPromises.deleteNothing,
		title: 'of several concurrent deletes of a session, one returns `true`',
		needs: ['info'],
		async run(context) {
			const [a, b] = await context.info();
			await a.create(sampleRecord('s'));
			assert.equal(await b.delete('t'), false);
			const deleted = await Promise.all([a, b, a, b].map((info) => info.delete('s')));
			assert.equal(deleted.filter(Boolean).length, 1);
			assert.equal(await b.delete('s'), false);
		},
	},
	{
		id: 'info/unsubscribe-nothing',
		promise: infoPromises.unsubscribeNothing,
		title: 'removing a subscription returns whether this session had it',
		needs: ['info'],
		async run(context) {
			const [a, b] = await context.info();
			for (const id of ['s', 't']) await a.create(sampleRecord(id));
			await a.addSubscription('s', 'file:///a');
			assert.equal(await b.removeSubscription('s', 'file:///b'), false);
			assert.equal(await b.removeSubscription('t', 'file:///a'), false);
			assert.equal(await b.removeSubscription('s', 'file:///a'), true);
			assert.equal(await a.removeSubscription('s', 'file:///a'), false);
		},
	},
	{
		id: 'info/end-unknown',
		promise: infoPromises.endUnknown,
		title: 'of several concurrent ends of a session, one returns `true`',
		needs: ['info'],
		async run(context) {
			const [a, b] = await context.info();
			await a.create(sampleRecord('s', { keepEndedMs: 60_000 }));
			assert.equal(await b.end('t', Date.now(), 'done'), false);
			const ended = await Promise.all([a, b, a, b].map((info) => info.end('s', Date.now(), 'done')));
			assert.equal(ended.filter(Boolean).length, 1);
			assert.equal(await b.end('s', Date.now(), 'done'), false);
		},
	},
	{
		id: 'state/write-unknown',
		promise: infoPromises.writeUnknown,
		title: 'a write returns whether the session exists, whatever version is expected',
		needs: ['info'],
		async run(context) {
			const [a, b] = await context.info();
			await a.create(sampleRecord('s'));
			assert.equal(await b.writeState('s', 'k', '*', 's1'), true);
			const version = (await b.readState('s', 'k'))?.version;
			await a.delete('s');
			for (const expected of ['*', undefined, version]) {
				assert.equal(await b.writeState('s', 'k', expected, 's2'), false);
				assert.equal(await b.writeState('s', 'k', expected, undefined), false);
			}
			await a.create(sampleRecord('s'));
			assert.equal(await b.readState('s', 'k'), undefined);
		},
	},
];
