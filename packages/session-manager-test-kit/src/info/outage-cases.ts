import assert from 'node:assert/strict';
import type { ContractCase } from '../contract-case.js';
import { infoPromises } from '../info-promises.js';
import { assertUnavailable, whenAvailable } from '../outage.js';
import { sampleRecord } from '../sample-record.js';
import { assertUnknown } from './unknown-session.js';

/** Sessions while the store is unavailable, after its restart, and after it lost its data. */
export const outageCases: readonly ContractCase[] = [
	{
		id: 'info/outage',
		promise: infoPromises.unavailable,
		title: 'while the store is unavailable every call rejects soon, and the stored data is there when it is back',
		needs: ['info', 'outages'],
		async run(context) {
			const [a, b] = await context.info();
			const record = sampleRecord('s', { logLevel: 'info' });
			await a.create(record);
			await a.addSubscription('s', 'x:1');
			await a.writeState('s', 'k', undefined, 's1');
			await context.backend.fail();
			try {
				await assertUnavailable([
					() => a.create(sampleRecord('t')),
					() => a.read('s'),
					() => a.update('t', { logLevel: 'debug' }),
					() => b.touch('t', 1),
					() => b.delete('t'),
					() => b.addSubscription('t', 'x:2'),
					() => a.removeSubscription('t', 'x:1'),
					() => a.getSubscriptions('x:1'),
					() => b.getSubscribedUris('s'),
					() => b.readState('s', 'k'),
					() => a.listState('s'),
					() => b.writeState('t', 'k', '*', 's2'),
					() => a.scan(undefined, 10),
				]);
			} finally {
				await context.backend.heal();
			}
			assert.deepEqual(await whenAvailable(() => b.read('s')), record);
			assert.deepEqual(await whenAvailable(() => a.getSubscriptions('x:1')), ['s']);
			assert.equal((await b.readState('s', 'k'))?.value, 's1');
			assert.equal(await a.writeState('s', 'k', (await b.readState('s', 'k'))?.version, 's2'), true);
		},
	},
	{
		id: 'info/cut-off',
		promise: infoPromises.unavailable,
		title: 'a node that is cut off rejects calls, the others continue, and it knows their changes when it is back',
		needs: ['info', 'partition'],
		async run(context) {
			const [a, b] = await context.info();
			for (const id of ['s', 't']) await a.create(sampleRecord(id));
			await a.writeState('s', 'k', undefined, 's1');
			await context.backend.cutOff(0);
			try {
				await assertUnavailable([
					() => a.read('s'),
					() => a.update('s', { logLevel: 'debug' }),
					() => a.writeState('s', 'k', '*', 's2'),
				]);
				assert.equal(await b.update('s', { logLevel: 'error' }), true);
				assert.equal(await b.addSubscription('s', 'x:1'), true);
				assert.equal(await b.delete('t'), true);
			} finally {
				await context.backend.rejoin(0);
			}
			assert.equal((await whenAvailable(() => a.read('s')))?.logLevel, 'error');
			assert.deepEqual(await a.getSubscribedUris('s'), ['x:1']);
			assert.equal((await a.readState('s', 'k'))?.value, 's1');
			assert.equal(await a.read('t'), undefined);
		},
	},
	{
		id: 'info/restart',
		promise: infoPromises.lostStore,
		title: 'record, subscriptions and state survive a restart of the store, and versions are still never used twice',
		needs: ['info', 'durable'],
		async run(context) {
			const [a, b] = await context.info();
			const record = sampleRecord('s', { principal: 'alice', logLevel: 'info' });
			await a.create(record);
			await a.addSubscription('s', 'x:1');
			await a.writeState('s', 'k', undefined, 's1');
			const versions = new Set([(await b.readState('s', 'k'))?.version]);
			await context.backend.restart();
			assert.deepEqual(await whenAvailable(() => b.read('s')), record);
			assert.deepEqual(await whenAvailable(() => a.read('s')), record);
			assert.deepEqual(await b.getSubscriptions('x:1'), ['s']);
			assert.deepEqual(await a.sessionsOf('alice'), ['s']);
			assert.equal((await b.readState('s', 'k'))?.value, 's1');
			assert.equal(await a.create(record), false);
			for (let n = 0; n < 5; n++) {
				await b.writeState('s', 'k', '*', 's1');
				versions.add((await a.readState('s', 'k'))?.version);
			}
			assert.equal(versions.size, 6);
		},
	},
	{
		id: 'info/data-loss',
		promise: infoPromises.unknown,
		title: 'after the store lost its data, sessions are unknown and can be created again',
		needs: ['info', 'dataLoss'],
		async run(context) {
			const [a, b] = await context.info();
			await a.create(sampleRecord('s', { principal: 'alice' }));
			await a.addSubscription('s', 'file:///a');
			await a.writeState('s', 'key', undefined, 's1');
			await context.backend.loseData();
			await whenAvailable(() => b.read('s'));
			await assertUnknown(a, 's');
			assert.deepEqual(await b.sessionsOf('alice'), []);
			assert.equal(await b.create(sampleRecord('s')), true);
			assert.deepEqual(await a.getSubscribedUris('s'), []);
		},
	},
];
