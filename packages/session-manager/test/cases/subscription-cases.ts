import assert from 'node:assert/strict';
import fc from 'fast-check';
import { sampleRecord } from '../sample-record.ts';
import { type InfoCase, infoPair } from './info-case.ts';

/** What a session is subscribed to and who is subscribed, on any peer. */
export const subscriptionCases: readonly InfoCase[] = [
	{
		title: 'subscriptions are found from the resource and from the session, several of each',
		async run(context) {
			const [a, b] = await infoPair(context);
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
		title: 'a subscription counts once however often it is made, and ends at the first unsubscribe',
		async run(context) {
			const [a, b] = await infoPair(context);
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
		title: 'the subscriptions of one session end without touching those of another',
		async run(context) {
			const [a, b] = await infoPair(context);
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
		title: 'subscriptions agree with a plain set of pairs, whatever is done',
		async run(context) {
			const ids = ['a', 'b', '{c}'];
			const uris = ['x:1', 'x:2', '__proto__'];
			const step = fc.tuple(
				fc.constantFrom('create', 'delete', 'add', 'remove', 'touch'),
				fc.constantFrom(...ids),
				fc.constantFrom(...uris),
				fc.nat(1),
			);
			await fc.assert(
				fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
					const peers = await infoPair(context);
					const sessions = new Set<string>();
					let pairs: (readonly [id: string, uri: string])[] = [];
					const has = (id: string, uri: string) => pairs.some(([owner, resource]) => owner === id && resource === uri);
					for (const [what, id, uri, peer] of steps) {
						const info = peers[peer] ?? peers[0];
						if (what === 'create') {
							assert.equal(await info.create(sampleRecord(id)), !sessions.has(id));
							sessions.add(id);
						} else if (what === 'delete') {
							assert.equal(await info.delete(id), sessions.delete(id));
							pairs = pairs.filter(([owner]) => owner !== id);
						} else if (what === 'touch') {
							assert.equal(await info.touch(id, 1), sessions.has(id));
						} else if (what === 'add') {
							assert.equal(await info.addSubscription(id, uri), sessions.has(id));
							if (sessions.has(id) && !has(id, uri)) pairs.push([id, uri]);
						} else {
							assert.equal(await info.removeSubscription(id, uri), has(id, uri));
							pairs = pairs.filter(([owner, resource]) => owner !== id || resource !== uri);
						}
					}
					for (const id of ids) {
						const wanted = pairs.filter(([owner]) => owner === id).map(([, uri]) => uri);
						assert.deepEqual((await peers[0].getSubscribedUris(id)).sort(), wanted.sort());
					}
					for (const uri of uris) {
						const wanted = pairs.filter(([, resource]) => resource === uri).map(([id]) => id);
						assert.deepEqual((await peers[1].getSubscriptions(uri)).sort(), wanted.sort());
					}
				}),
				{ numRuns: context.runs },
			);
		},
	},
	{
		title: 'a session may have very many subscriptions, and a resource very many subscribers',
		async run(context) {
			const [a, b] = await infoPair(context);
			const many = Array.from({ length: 8_100 }, (_, n) => `x:${n}`);
			await a.create(sampleRecord('s'));
			await Promise.all(many.slice(0, 10).map((id) => a.create(sampleRecord(id))));
			for (let from = 0; from < many.length; from += 2_700) {
				await Promise.all(many.slice(from, from + 2_700).map((uri) => a.addSubscription('s', uri)));
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
