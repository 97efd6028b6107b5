import assert from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import { requestStreamId } from '@holdfast/session-manager/custom';
import type { ContractCase } from '../contract-case.js';
import { after, numbers, open, StreamClient, sse } from '../stream-client.js';
import { streamPromises } from '../stream-promises.js';
import { until } from '../until.js';

/** Promise 3: the newest wins. */
export const takeoverCases: readonly ContractCase[] = [
	{
		id: 'stream/takeover-other-peer',
		promise: streamPromises.newestWins,
		title: 'a new holder takes a stream over from another peer, and the old one is closed',
		needs: ['streams', 'crossNode'],
		async run(context) {
			const [a, b] = await context.streams();
			for (const id of ['s', requestStreamId('s', '1')]) {
				const old = await open(a, id);
				await a.send([id], sse('before'));
				await old.hears('before');
				const newest = await open(b, id);
				await a.send([id], sse('after'));
				assert.deepEqual(await newest.hears('after'), ['after']);
				assert.deepEqual(await old.end(), ['before']);
			}
		},
	},
	{
		id: 'stream/takeover-same-peer',
		promise: streamPromises.newestWins,
		title: 'a new holder takes a stream over on the same peer',
		needs: ['streams'],
		async run(context) {
			const [a, b] = await context.streams();
			const old = await open(a, 's');
			const newest = await open(a, 's');
			await old.end();
			await b.send(['s'], sse(1));
			assert.deepEqual(await newest.hears(1), ['1']);
			assert.deepEqual(old.texts, []);
			assert.equal(await b.has('s'), true);
		},
	},
	{
		id: 'stream/takeover-of-vanished-client',
		promise: streamPromises.resumed,
		title: 'a client that is back before its old connection is missed continues where it was',
		needs: ['streams', 'history'],
		async run(context) {
			const [a, b] = await context.streams();
			const old = await open(a, 's');
			for (const n of numbers(1, 3)) await a.send(['s'], sse(n));
			await old.hears(3);
			old.vanish();
			await a.send(['s'], sse(4));
			const back = await open(b, 's', after(old));
			assert.equal(back.continuation, 'resumed');
			await a.send(['s'], sse(5));
			assert.deepEqual(await back.hears(5), ['4', '5']);
		},
	},
	{
		id: 'stream/late-detach',
		promise: streamPromises.detach,
		title: 'the detaching of an old holder leaves the new one untouched',
		needs: ['streams', 'history'],
		async run(context) {
			const [a, b] = await context.streams();
			const old = await open(a, 's');
			const newest = await open(b, 's');
			old.leave();
			old.leave();
			await a.send(['s'], sse(1));
			assert.deepEqual(await newest.hears(1), ['1']);
			assert.equal(await a.has('s'), true);
		},
	},
	{
		id: 'stream/takeover-unconfirmed',
		promise: streamPromises.unconfirmed,
		title: 'a client without a last event id that takes a stream over from another peer learns what may be lost',
		needs: ['streams', 'history', 'crossNode'],
		async run(context) {
			const [a, b] = await context.streams();
			for (const id of ['s', requestStreamId('s', '1')]) {
				const told = await open(a, id);
				await a.send([id], sse(1));
				await told.hears(1);
				told.vanish();
				assert.equal((await open(b, id)).continuation, 'gap');
				const untold = await open(a, `t${id}`);
				untold.vanish();
				assert.equal((await open(b, `t${id}`)).continuation, 'fresh');
				const left = await open(a, `u${id}`);
				await a.send([`u${id}`], sse(1));
				await left.hears(1);
				left.leave();
				await until('the stream is free', async () => !(await b.has(`u${id}`)));
				assert.equal((await open(b, `u${id}`)).continuation, 'fresh');
			}
			const told = await open(a, 'all');
			await b.send(undefined, sse(1));
			await told.hears(1);
			const ongap = () => Promise.reject(new Error('The client could not be told.'));
			await assert.rejects(open(b, 'all', { ongap }), { message: 'The client could not be told.' });
			assert.equal((await open(b, 'all')).continuation, 'gap');
			await a.send(['waited'], sse(1));
			await (await open(a, 'waited')).hears(1);
			assert.equal((await open(b, 'waited')).continuation, 'gap');
		},
	},
	{
		id: 'stream/takeover-confirmed',
		promise: streamPromises.delivered,
		title: 'a client without a last event id gets what follows what was written to the previous one of its peer',
		needs: ['streams', 'history'],
		async run(context) {
			const [a] = await context.streams(1);
			for (const id of ['s', requestStreamId('s', '1')]) {
				await a.send([id], sse(1));
				const old = await open(a, id);
				await a.send([id], sse(2));
				if (id === 's') await a.send(undefined, sse(3));
				await old.hears(id === 's' ? 3 : 2);
				const newest = await open(a, id);
				assert.equal(newest.continuation, 'fresh');
				await a.send([id], sse(4));
				assert.deepEqual(await newest.hears(4), ['4']);
				await old.end();
			}
		},
	},
	{
		id: 'stream/gap-untold',
		promise: streamPromises.ongapAwaited,
		title: 'where a client could not be told of a gap, the next one is, also without a last event id',
		needs: ['streams', 'history'],
		async run(context) {
			const [a, b] = await context.streams();
			const since = 'of another manager';
			const ongap = () => Promise.reject(new Error('The client could not be told.'));
			for (const manager of [a, b])
				await assert.rejects(async () => manager.create('s', new StreamClient(), { since, ongap }), {
					message: 'The client could not be told.',
				});
			assert.equal((await open(b, 's', { since })).continuation, 'gap');
		},
	},
	{
		id: 'stream/takeover-race',
		promise: streamPromises.newestWins,
		title:
			'of 20 that open a stream at once on three peers one stays, and each message is received once over all of them',
		needs: ['streams', 'history'],
		async run(context) {
			const peers = await context.streams(3);
			const [a] = peers;
			const first = await open(a, 's');
			let writing = true;
			let sent = 0;
			const writer = (async () => {
				for (; writing; await setImmediate()) await a.send(['s'], sse(++sent));
			})();
			const clients = await Promise.all(
				Array.from({ length: 20 }, (_, index) => open(peers[index % 3] ?? a, 's')),
			).finally(() => {
				writing = false;
			});
			await writer;
			await until('all but one are closed', () => clients.filter(({ ended }) => !ended).length === 1);
			await a.send(['s'], sse('last'));
			const stays = clients.find(({ ended }) => !ended);
			await stays?.hears('last');
			await first.end();
			const received = [first, ...clients].flatMap(({ texts }) => texts).filter((text) => text !== 'last');
			assert.deepEqual(
				received.map(Number).sort((x, y) => x - y),
				Array.from({ length: sent }, (_, n) => n + 1),
			);
			for (const { texts } of clients)
				assert.deepEqual(
					texts,
					[...texts].sort((x, y) => Number(x) - Number(y)),
				);
			assert.equal(await a.has('s'), true);
		},
	},
	{
		id: 'stream/takeover-under-load',
		promise: streamPromises.resumed,
		title: 'a client that hops from peer to peer under load gets each message once and in order',
		needs: ['streams', 'history'],
		async run(context) {
			const peers = await context.streams(3);
			const [a, b] = peers;
			let client = await open(a, 's', { prime: sse('prime') });
			let writing = true;
			let sent = 0;
			const writer = (async () => {
				for (; writing; await setImmediate()) {
					sent++;
					await (sent % 2 === 0 ? a : b).send(sent % 5 === 0 ? undefined : ['s'], sse(sent));
				}
			})();
			const received: string[] = [];
			try {
				for (let hop = 1; hop <= 12; hop++) {
					await client.has(3);
					if (hop % 3 === 0) client.leave();
					const before = client;
					const seen = before.received.length;
					client = await open(peers[hop % 3] ?? a, 's', after(before, seen));
					assert.equal(client.continuation, 'resumed');
					received.push(...before.texts.slice(0, seen));
				}
			} finally {
				writing = false;
			}
			await writer;
			await a.send(['s'], sse('last'));
			await client.hears('last');
			const lastToAll = `${sent - (sent % 5)}`;
			if (!received.includes(lastToAll)) await client.hears(lastToAll);
			received.push(...client.texts);
			const numbered = received.filter((text) => text !== 'prime' && text !== 'last');
			const wanted = numbers(1, sent);
			for (const toAll of [true, false]) {
				const isOf = (text: string) => (Number(text) % 5 === 0) === toAll;
				assert.deepEqual(numbered.filter(isOf), wanted.filter(isOf));
			}
		},
	},
];
