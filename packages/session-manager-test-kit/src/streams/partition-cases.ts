import assert from 'node:assert/strict';
import { nodeAddress } from '@holdfast/session-manager/custom';
import type { ContractCase } from '../contract-case.js';
import { assertUnavailable, whenAvailable } from '../outage.js';
import { open, StreamClient, sse } from '../stream-client.js';
import { streamPromises } from '../stream-promises.js';
import { until } from '../until.js';

/** Streams of a node that is cut off from the backend while the others continue. */
export const partitionCases: readonly ContractCase[] = [
	{
		id: 'stream/cut-off-refuses',
		promise: streamPromises.unavailable,
		title: 'a node that is cut off rejects calls that need the backend, and the others continue without it',
		needs: ['streams', 'partition'],
		async run(context) {
			const [a, b] = await context.streams();
			const client = await open(b, 's');
			await context.backend.cutOff(0);
			try {
				await assertUnavailable([
					() => a.send(['s'], sse('refused')),
					() => a.send(undefined, sse('refused')),
					() => a.create('t', new StreamClient()),
				]);
				await b.send(['s'], sse(1));
				assert.deepEqual(await client.hears(1), ['1']);
			} finally {
				await context.backend.rejoin(0);
			}
			await whenAvailable(() => a.send(['s'], sse(2)));
			assert.deepEqual(await client.hears(2), ['1', '2']);
		},
	},
	{
		id: 'stream/cut-off-filled',
		promise: streamPromises.send,
		title: 'the streams of a node that was cut off get the missed events, once and in order, before new ones',
		needs: ['streams', 'history', 'partition'],
		async run(context) {
			const [a, b] = await context.streams();
			let gaps = 0;
			const clients = [await open(a, 's', { ongap: () => void gaps++ }), await open(a, 's 1'), await open(b, 't')];
			for (const round of [1, 2, 3]) {
				await context.backend.cutOff(0);
				for (const n of [1, 2, 3]) await b.send(['s', 's 1', 't'], sse(`${round}.${n}`));
				await b.send(undefined, sse(`all ${round}`));
				await context.backend.rejoin(0);
				await b.send(['s', 's 1', 't'], sse(`${round}.4`));
			}
			const wanted = [1, 2, 3].flatMap((round) => [1, 2, 3, 4].map((n) => `${round}.${n}`));
			for (const client of clients) {
				await client.hears('3.4');
				assert.deepEqual(
					client.texts.filter((text) => !text.startsWith('all')),
					wanted,
				);
			}
			await clients[0]?.hears('all 3');
			assert.deepEqual(
				clients[0]?.texts.filter((text) => text.startsWith('all')),
				['all 1', 'all 2', 'all 3'],
			);
			assert.equal(gaps, 0);
		},
	},
	{
		id: 'stream/cut-off-taken-over',
		promise: streamPromises.newestWins,
		title: 'the stream of a node that is cut off is taken over at once, and closed there when the node is back',
		needs: ['streams', 'history', 'partition'],
		async run(context) {
			const [a, b] = await context.streams();
			for (const id of ['s', 's 1']) {
				const old = await open(a, id);
				await context.backend.cutOff(0);
				const newest = await open(b, id);
				await b.send([id], sse(1));
				assert.deepEqual(await newest.hears(1), ['1']);
				await context.backend.rejoin(0);
				assert.deepEqual(await old.end(), []);
				await b.send([id], sse(2));
				assert.deepEqual(await newest.hears(2), ['1', '2']);
				assert.equal(newest.ended, false);
			}
		},
	},
	{
		id: 'stream/cut-off-deleted',
		promise: streamPromises.delete,
		title: 'a stream that was deleted while its node was cut off is closed when the node is back',
		needs: ['streams', 'history', 'partition'],
		async run(context) {
			const [a, b] = await context.streams();
			const [deleted, request, kept] = [await open(a, 's'), await open(a, 's 1'), await open(a, 't')];
			await context.backend.cutOff(0);
			await b.send(['s', 's 1'], sse('forgotten'));
			await b.delete('s');
			await context.backend.rejoin(0);
			assert.deepEqual([await deleted.end(), await request.end()], [[], []]);
			await b.send(['s', 's 1', 't'], sse(1));
			assert.deepEqual(await kept.hears(1), ['1']);
			assert.deepEqual([deleted.texts, request.texts], [[], []]);
		},
	},
	{
		id: 'stream/cut-off-gap',
		promise: streamPromises.ongap,
		title: 'a stream gets a gap when more was sent while its node was cut off than the retention keeps',
		needs: ['streams', 'history', 'limits', 'partition'],
		async run(context) {
			const [a, b] = await context.streams(2, { history: { maxEvents: 3 } });
			let gaps = 0;
			const client = await open(a, 's', { ongap: () => void gaps++ });
			await context.backend.cutOff(0);
			for (const n of [1, 2, 3, 4, 5]) await b.send(['s'], sse(n));
			await context.backend.rejoin(0);
			assert.deepEqual(await client.hears(5), ['3', '4', '5']);
			assert.equal(gaps, 1);
			await b.send(['s'], sse(6));
			await client.hears(6);
			assert.equal(gaps, 1);
		},
	},
	{
		id: 'stream/cut-off-gap-awaited',
		promise: streamPromises.ongapAwaited,
		title: 'nothing is written before `ongap` resolves, and `ongap` is called again after a rejection',
		needs: ['streams', 'history', 'limits', 'partition'],
		async run(context) {
			const [a, b] = await context.streams(2, { history: { maxEvents: 3 } });
			const calls: { resolve(): void; reject(error: Error): void }[] = [];
			const ongap = () => new Promise<void>((resolve, reject) => calls.push({ resolve, reject }));
			const [client, other] = [await open(a, 's', { ongap }), await open(a, 't')];
			await context.backend.cutOff(0);
			for (const n of [1, 2, 3, 4, 5]) await b.send(['s'], sse(n));
			await context.backend.rejoin(0);
			await until('the gap is reported', () => calls.length === 1);
			await b.send(['s', 't'], sse(6));
			await other.hears(6);
			assert.deepEqual(client.texts, []);
			calls[0]?.reject(new Error('The client could not be notified.'));
			await until('the gap is reported again', () => calls.length === 2);
			assert.deepEqual(client.texts, []);
			calls[1]?.resolve();
			assert.deepEqual((await client.hears(6)).slice(-3), ['4', '5', '6']);
		},
	},
	{
		id: 'stream/cut-off-listener',
		promise: streamPromises.ongapAddress,
		title: 'the listeners of a node that was cut off get `ongap`, then receive messages again',
		needs: ['streams', 'history', 'partition'],
		async run(context) {
			const [a, b] = await context.streams();
			let gaps = 0;
			const address = nodeAddress('n');
			const far = await open(a, address, { ongap: () => void gaps++ });
			const near = await open(b, address, { ongap: () => assert.fail('this node missed nothing') });
			await context.backend.cutOff(0);
			await b.send([address], sse('missed'));
			await context.backend.rejoin(0);
			await until('a gap or the event itself arrives', () => gaps > 0 || far.received.length > 0);
			await b.send([address], sse('heard'));
			assert.deepEqual(
				(await far.hears('heard')).filter((text) => text !== 'missed'),
				['heard'],
			);
			assert.deepEqual(await near.hears('heard'), ['missed', 'heard']);
		},
	},
];
