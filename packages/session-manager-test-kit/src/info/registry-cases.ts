import assert from 'node:assert/strict';
import type { NodeRecord } from '@holdfast/session-manager';
import type { ContractCase } from '../contract-case.js';
import { infoPromises } from '../info-promises.js';
import { whenAvailable } from '../outage.js';
import { sampleRecord } from '../sample-record.js';
import { until } from '../until.js';
import { pages } from './unknown-session.js';

const HOUR = 3_600_000;

function nodeRecord(id: string, given: Partial<NodeRecord> = {}): NodeRecord {
	return { id, version: '1.2.3', startedAt: 5, state: 'ready', counts: { sessions: 7 }, ...given };
}

/** Leases and announced nodes, on any peer. */
export const registryCases: readonly ContractCase[] = [
	{
		id: 'info/lease',
		promise: infoPromises.lease,
		title: 'a lease has one holder, who can renew it; of 20 that ask at once, one gets it',
		needs: ['info', 'registry'],
		async run(context) {
			const [a, b] = await context.info();
			for (const name of ['clean-up', 'Clean-up', 'a:b', '{x}', 'ä€😀', 'x\ud800', 'x\udfff']) {
				const taken = await Promise.all(
					Array.from({ length: 20 }, (_, n) => (n % 2 === 0 ? a : b).acquireLease(name, `n${n}`, HOUR)),
				);
				assert.equal(taken.filter(Boolean).length, 1);
				const holder = `n${taken.indexOf(true)}`;
				assert.equal(await b.acquireLease(name, holder, HOUR), true);
				assert.equal(await a.acquireLease(name, 'another', HOUR), false);
			}
		},
	},
	{
		id: 'info/lease-lapses',
		promise: infoPromises.lease,
		title: 'a lease that is not renewed lapses when its time is over, not earlier, and one that is renewed does not',
		needs: ['info', 'registry'],
		async run(context) {
			const [a, b] = await context.info();
			const begun = performance.now();
			assert.equal(await a.acquireLease('brief', 'a', 200), true);
			assert.equal(await a.acquireLease('renewed', 'a', 200), true);
			assert.equal(await a.acquireLease('renewed', 'a', HOUR), true);
			await until('the lease lapses', () => b.acquireLease('brief', 'b', HOUR));
			assert.ok(performance.now() - begun >= 195, 'It lapsed too early.');
			assert.equal(await a.acquireLease('brief', 'a', HOUR), false);
			assert.equal(await b.acquireLease('renewed', 'b', HOUR), false);
		},
	},
	{
		id: 'info/lease-released',
		promise: infoPromises.release,
		title: 'a lease is free once its holder releases it, and stays when somebody else does',
		needs: ['info', 'registry'],
		async run(context) {
			const [a, b] = await context.info();
			await a.acquireLease('l', 'a', HOUR);
			await b.releaseLease('l', 'b');
			await b.releaseLease('unknown', 'b');
			assert.equal(await b.acquireLease('l', 'b', HOUR), false);
			await b.releaseLease('l', 'a');
			assert.equal(await b.acquireLease('l', 'b', HOUR), true);
		},
	},
	{
		id: 'info/lease-restart',
		promise: infoPromises.leaseKept,
		title: 'a lease is still held after a restart of the store, and lapses when its time is over',
		needs: ['info', 'registry', 'durable'],
		async run(context) {
			const [a, b] = await context.info();
			assert.equal(await a.acquireLease('held', 'a', HOUR), true);
			assert.equal(await a.acquireLease('brief', 'a', 200), true);
			await context.backend.restart();
			assert.equal(await whenAvailable(() => b.acquireLease('held', 'b', HOUR)), false);
			assert.equal(await whenAvailable(() => a.acquireLease('held', 'a', HOUR)), true);
			await until('the lease lapses', () => b.acquireLease('brief', 'b', HOUR));
		},
	},
	{
		id: 'info/lease-no-session',
		promise: infoPromises.noSessions,
		title: 'a full store gives leases and takes nodes, and a scan passes over them',
		needs: ['info', 'registry', 'capacity'],
		async run(context) {
			const [a, b] = await context.info(2, { maxSessions: 2 });
			assert.equal(await a.acquireLease('before', 'a', HOUR), true);
			await a.announceNode(nodeRecord('before'), HOUR);
			for (const id of ['s1', 's2']) assert.equal(await a.create(sampleRecord(id)), true);
			assert.equal(await b.acquireLease('after', 'b', HOUR), true);
			await b.announceNode(nodeRecord('after'), HOUR);
			assert.deepEqual((await pages(a, 10)).flat().sort(), ['s1', 's2']);
			assert.equal((await b.nodes()).length, 2);
		},
	},
	{
		id: 'info/nodes',
		promise: infoPromises.nodes,
		title: 'every peer lists the nodes as they announced themselves last, until they withdraw or their time is over',
		needs: ['info', 'registry'],
		async run(context) {
			const [a, b] = await context.info();
			assert.deepEqual(await b.nodes(), []);
			const one = nodeRecord('one', { address: 'http://10.0.0.1:3000' });
			await a.announceNode(nodeRecord('one'), HOUR);
			await a.announceNode(one, HOUR);
			const two = nodeRecord('two', { state: 'draining', counts: {} });
			await b.announceNode(two, HOUR);
			const listed = async () => [...(await a.nodes())].sort((x, y) => (x.id < y.id ? -1 : 1));
			await b.announceNode(nodeRecord('brief'), 100);
			await until('a node that is gone disappears', async () => (await listed()).length === 2);
			assert.deepEqual(await listed(), [one, two]);
			await b.announceNode(nodeRecord('brief'), 100);
			const begun = performance.now();
			// Another announcement comes right after its time is over, before anybody lists the nodes.
			while (performance.now() - begun < 150) await a.announceNode(one, HOUR);
			assert.deepEqual(await listed(), [one, two]);
			await a.announceNode(one, 0);
			assert.deepEqual(await b.nodes(), [two]);
		},
	},
];
