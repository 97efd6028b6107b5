import assert from 'node:assert/strict';
import type { StreamSessionManager } from '@holdfast/session-manager';
import type { ContractCase } from '../contract-case.js';
import { assertUnavailable, whenAvailable } from '../outage.js';
import { after, numbers, open, StreamClient, sse } from '../stream-client.js';
import { streamPromises } from '../stream-promises.js';

/** Streams while the backend is unavailable, after its restart, and after it lost its data. */
export const outageCases: readonly ContractCase[] = [
	{
		id: 'stream/outage-refuses',
		promise: streamPromises.unavailable,
		title: 'while the backend is unavailable, every call that needs it rejects soon, and open streams stay open',
		needs: ['streams', 'outages'],
		async run(context) {
			const [a, b] = await context.streams();
			const clients = [await open(a, 's'), await open(b, 't')];
			await context.backend.fail();
			try {
				await assertUnavailable([
					() => a.send(['s'], sse('refused')),
					() => a.send(undefined, sse('refused')),
					() => a.send(['nobody'], sse('refused')),
					() => b.create('u', new StreamClient()),
				]);
				for (const { ended } of clients) assert.equal(ended, false);
			} finally {
				await context.backend.heal();
			}
			await whenAvailable(() => b.has('s'));
		},
	},
	{
		id: 'stream/outage-ends',
		promise: streamPromises.send,
		title: 'when the backend is back, every accepted event arrives on the open streams, once and in order',
		needs: ['streams', 'history', 'outages'],
		async run(context) {
			const [a, b] = await context.streams();
			const clients = [await open(a, 's'), await open(b, 't'), await open(b, 't 1')];
			const taken: string[] = [];
			const send = async (text: string) => {
				await b.send(['s', 't', 't 1'], sse(text));
				taken.push(text);
			};
			for (let round = 1; round <= 2; round++) {
				for (const n of numbers(1, 5)) await send(`${round}.${n}`);
				await context.backend.fail();
				try {
					await assertUnavailable([() => a.send(['s', 't', 't 1'], sse(`refused ${round}`))]);
				} finally {
					await context.backend.heal();
				}
				await whenAvailable(() => send(`${round} is over`));
			}
			for (const client of clients) {
				await client.hears('2 is over');
				// A rejected event may have been stored all the same.
				assert.deepEqual(
					client.texts.filter((text) => !text.startsWith('refused')),
					taken.filter((text, index) => taken.indexOf(text) === index),
				);
				assert.equal(client.ended, false);
			}
		},
	},
	{
		id: 'stream/outage-close',
		promise: streamPromises.close,
		title: 'a manager closes its controllers while the backend is unavailable',
		needs: ['streams', 'history', 'outages'],
		async run(context) {
			const [a] = await context.streams(1);
			const clients = [await open(a, 's'), await open(a, 's 1')];
			await context.backend.fail();
			try {
				const closed = Promise.resolve(a.close());
				for (const client of clients) await client.end();
				await closed;
			} finally {
				await context.backend.heal();
			}
		},
	},
	{
		id: 'stream/restart',
		promise: streamPromises.kept,
		title: 'events sent before a restart of the backend wait for their clients after it',
		needs: ['streams', 'history', 'durable'],
		async run(context) {
			const [a, b] = await context.streams();
			const first = await open(a, 's', { prime: sse('prime') });
			for (const n of numbers(1, 3)) await b.send(['s'], sse(n));
			await first.hears(3);
			first.leave();
			await b.send(['s'], sse(4));
			await b.send(undefined, sse(5));
			await b.send(['never'], sse('waits'));
			await context.backend.restart();
			const back = await openAgain(b, 's', first, 3);
			// A backend that cannot prove that it lost nothing reports a gap.
			assert.ok(['resumed', 'gap'].includes(back.continuation ?? ''), back.continuation);
			await whenAvailable(() => a.send(['s'], sse(6)));
			const texts = await back.hears(6);
			assert.deepEqual(texts, back.continuation === 'gap' ? texts : ['3', '4', '5', '6']);
			assert.deepEqual(texts.slice(-3), ['4', '5', '6']);
			assert.deepEqual(await (await open(b, 'never')).hears('waits'), ['waits']);
		},
	},
	{
		id: 'stream/data-loss',
		promise: streamPromises.ongap,
		title: 'a client that resumes after the backend lost its data gets a gap, and every later event',
		needs: ['streams', 'history', 'dataLoss'],
		async run(context) {
			const [a, b] = await context.streams();
			for (const id of ['s', 's 1']) {
				const client = await open(a, id);
				for (const n of numbers(1, 3)) await b.send([id], sse(n));
				await client.hears(3);
				await context.backend.loseData();
				await whenAvailable(() => b.send([id], sse('new')));
				const back = await openAgain(b, id, client, 1);
				assert.equal(back.continuation, 'gap');
				await whenAvailable(() => a.send([id], sse('live')));
				assert.equal((await back.hears('live')).includes('3'), false);
			}
		},
	},
	{
		id: 'stream/data-loss-goes-on',
		promise: streamPromises.lostClient,
		title: 'streams, broadcasts and addresses work after the backend lost its data',
		needs: ['streams', 'history', 'dataLoss'],
		async run(context) {
			const [a, b] = await context.streams();
			await open(a, 'before');
			await context.backend.loseData();
			await whenAvailable(() => b.has('before'));
			const [session, listener] = [await open(a, 's'), await open(b, ' n')];
			for (const n of numbers(1, 20)) await (Number(n) % 2 === 0 ? a : b).send(['s', ' n'], sse(n));
			await b.send(undefined, sse('to all'));
			assert.deepEqual(
				(await session.has(21)).filter((text) => text !== 'to all'),
				numbers(1, 20),
			);
			assert.deepEqual(await listener.has(20), numbers(1, 20));
		},
	},
];

/** Opens `id` as `client` after its first `count` events, once the backend is available. */
async function openAgain(
	manager: StreamSessionManager,
	id: string,
	client: StreamClient,
	count: number,
): Promise<StreamClient> {
	return whenAvailable(() => open(manager, id, after(client, count)));
}
