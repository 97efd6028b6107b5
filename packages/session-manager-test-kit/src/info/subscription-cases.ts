import assert from 'node:assert/strict';
import type { ContractCase } from '../contract-case.js';
import { infoPromises } from '../info-promises.js';
import { sampleRecord } from '../sample-record.js';
import { seededRandom } from '../seeded-random.js';

/** Subscriptions, by session and by resource, on any peer. */
export const subscriptionCases: readonly ContractCase[] = [
	{
		id: 'info/subscriptions-both-ways',
		promise: infoPromises.subscribers,
		title: 'subscriptions are found from the resource and from the session, several of each',
		needs: ['info'],
		async run(context) {
			const [a, b] = await context.info();
			for (const id of ['a', 'b', 'c']) await a.create(sampleRecord(id));
			for (const [id, uri] of [
				['a', 'x:1'],
				['a', 'x:2'],
				['b', 'x:1'],
			] as const) {
				assert.equal(await b.addSubscription(id, uri), true);
			}
			assert.deepEqual((await a.getSubscriptions('x:1')).sort(), ['a', 'b']);
			assert.deepEqual(await a.getSubscriptions('x:2'), ['a']);
			for (const uri of ['x:', 'X:1', 'x:*', '']) assert.deepEqual(await a.getSubscriptions(uri), []);
			assert.deepEqual((await a.getSubscribedUris('a')).sort(), ['x:1', 'x:2']);
			assert.deepEqual(await a.getSubscribedUris('c'), []);
		},
	},
	{
		id: 'info/subscription-once',
		promise: infoPromises.subscribe,
		title: 'a subscription counts once however often it is made, and ends at the first unsubscribe',
		needs: ['info'],
		async run(context) {
			const [a, b] = await context.info();
			await a.create(sampleRecord('s'));
			for (const info of [a, b, a]) assert.equal(await info.addSubscription('s', 'x:1'), true);
			assert.deepEqual(await b.getSubscriptions('x:1'), ['s']);
			assert.equal(await b.removeSubscription('s', 'x:1'), true);
			assert.equal(await a.removeSubscription('s', 'x:1'), false);
			assert.deepEqual(await a.getSubscriptions('x:1'), []);
			assert.deepEqual(await a.getSubscribedUris('s'), []);
		},
	},
	{
		id: 'info/subscriptions-apart',
		promise: infoPromises.unsubscribe,
		title: 'the subscriptions of one session end without touching those of another',
		needs: ['info'],
		async run(context) {
			const [a, b] = await context.info();
			for (const id of ['a', 'b']) {
				await a.create(sampleRecord(id));
				for (const uri of ['x:1', 'x:2']) await a.addSubscription(id, uri);
			}
			await b.removeSubscription('a', 'x:1');
			assert.deepEqual(await a.getSubscriptions('x:1'), ['b']);
			assert.deepEqual((await a.getSubscriptions('x:2')).sort(), ['a', 'b']);
			await b.delete('a');
			assert.deepEqual(await a.getSubscriptions('x:2'), ['b']);
		},
	},
	{
		id: 'info/subscriptions-model',
		promise: infoPromises.subscribed,
		title: 'subscriptions agree with a plain set of pairs, whatever is done',
		needs: ['info'],
		async run(context) {
			const peers = await context.info();
			const random = seededRandom(4);
			const ids = ['a', 'b', '{c}'];
			const uris = ['x:1', 'x:2', '__proto__'];
			const sessions = new Set<string>();
			let pairs: (readonly [id: string, uri: string])[] = [];
			const has = (id: string, uri: string) => pairs.some(([owner, resource]) => owner === id && resource === uri);
			const without = (gone: (id: string, uri: string) => boolean) => pairs.filter(([id, uri]) => !gone(id, uri));
			for (let step = 1; step <= 600; step++) {
				const [info, id, uri] = [random.of(peers), random.of(ids), random.of(uris)];
				switch (random.of(['create', 'delete', 'add', 'add', 'remove', 'touch'])) {
					case 'create':
						assert.equal(await info.create(sampleRecord(id)), !sessions.has(id));
						sessions.add(id);
						break;
					case 'delete':
						assert.equal(await info.delete(id), sessions.delete(id));
						pairs = without((owner) => owner === id);
						break;
					case 'add':
						assert.equal(await info.addSubscription(id, uri), sessions.has(id));
						if (sessions.has(id) && !has(id, uri)) pairs.push([id, uri]);
						break;
					case 'remove':
						assert.equal(await info.removeSubscription(id, uri), has(id, uri));
						pairs = without((owner, resource) => owner === id && resource === uri);
						break;
					default:
						assert.equal(await info.touch(id, 1), sessions.has(id));
				}
				if (step % 20 !== 0) continue;
				for (const each of ids) {
					const wanted = pairs.filter(([owner]) => owner === each).map(([, resource]) => resource);
					assert.deepEqual((await peers[0].getSubscribedUris(each)).sort(), wanted.sort());
				}
				for (const each of uris) {
					const wanted = pairs.filter(([, resource]) => resource === each).map(([owner]) => owner);
					assert.deepEqual((await peers[1].getSubscriptions(each)).sort(), wanted.sort());
				}
			}
		},
	},
	{
		id: 'info/subscriptions-many',
		promise: infoPromises.subscribers,
		title: 'a session may have very many subscriptions, and a resource very many subscribers',
		needs: ['info'],
		async run(context) {
			const [a, b] = await context.info();
			const many = Array.from({ length: 8_100 }, (_, n) => `x:${n}`);
			await a.create(sampleRecord('s'));
			await Promise.all(many.slice(0, 10).map((id) => a.create(sampleRecord(id))));
			for (let from = 0; from < many.length; from += 100) {
				await Promise.all(many.slice(from, from + 100).map((uri) => a.addSubscription('s', uri)));
			}
			await Promise.all(many.slice(0, 10).map((id) => b.addSubscription(id, 'x:1')));
			assert.equal((await b.getSubscribedUris('s')).length, many.length);
			assert.equal((await b.getSubscriptions('x:1')).length, 11);
			assert.equal(await b.delete('s'), true);
			assert.equal((await a.getSubscriptions('x:1')).length, 10);
			assert.deepEqual(await a.getSubscriptions('x:8099'), []);
		},
	},
];
