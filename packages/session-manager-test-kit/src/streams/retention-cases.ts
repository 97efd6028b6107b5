import assert from 'node:assert/strict';
import type { StreamSessionManager } from '@holdfast/session-manager';
import type { ContractCase } from '../contract-case.js';
import { after, numbers, open, StreamClient, sse } from '../stream-client.js';
import { streamPromises } from '../stream-promises.js';
import { until } from '../until.js';

/** Returns a client that saw the first event of `id` and then left. */
async function seenAndGone(manager: StreamSessionManager, id: string): Promise<StreamClient> {
	const client = await open(manager, id);
	await manager.send([id], sse('seen'));
	await client.has(1);
	client.leave();
	await until('the stream is free', async () => !(await manager.has(id)));
	return client;
}

/** Promise 2, beyond the retention: a gap is reported, and only where there is one. */
export const retentionCases: readonly ContractCase[] = [
	{
		id: 'stream/retention-events',
		promise: streamPromises.ongap,
		title: '`maxEvents` events of a session are kept, and a client that missed more gets a gap',
		needs: ['streams', 'history', 'limits'],
		async run(context) {
			const [a, b] = await context.streams(2, { history: { maxEvents: 10 } });
			for (const [sent, id] of [9, 10, 11, 60].flatMap(
				(n) =>
					[
						[n, `s${n}`],
						[n, `t${n} 1`],
					] as const,
			)) {
				const client = await seenAndGone(a, id);
				for (const n of numbers(1, sent)) await a.send([id], sse(n));
				const back = await open(b, id, after(client));
				assert.equal(back.continuation, sent > 10 ? 'gap' : 'resumed');
				assert.deepEqual(back.texts, numbers(Math.max(1, sent - 9), sent));
			}
		},
	},
	{
		id: 'stream/retention-bytes',
		promise: streamPromises.ongap,
		title: '`maxBytes` bytes of UTF-8 of a session are kept, and a client that missed more gets a gap',
		needs: ['streams', 'history', 'limits'],
		async run(context) {
			const data = 'ä'.repeat(100);
			const maxBytes = 4 * Buffer.byteLength(sse(data));
			const [a, b] = await context.streams(2, { history: { maxBytes } });
			for (const sent of [4, 5]) {
				const client = await seenAndGone(a, `s${sent}`);
				for (let n = 0; n < sent; n++) await a.send([`s${sent}`], sse(data));
				const back = await open(b, `s${sent}`, after(client));
				assert.equal(back.continuation, sent > 4 ? 'gap' : 'resumed');
				assert.equal(back.received.length, 4);
			}
		},
	},
	{
		id: 'stream/retention-newest',
		promise: streamPromises.kept,
		title: 'the newest event is kept whatever its size',
		needs: ['streams', 'history', 'limits'],
		async run(context) {
			const [a, b] = await context.streams(2, { history: { maxBytes: 10 } });
			await a.send(['s'], sse('x'.repeat(100)));
			assert.deepEqual((await open(b, 's')).texts, ['x'.repeat(100)]);
		},
	},
	{
		id: 'stream/retention-age',
		promise: streamPromises.ongap,
		title:
			'events are kept for `maxAgeMs` and no longer, and a client that missed older ones gets a gap, also a first client',
		needs: ['streams', 'history', 'limits'],
		async run(context) {
			const maxAgeMs = 300;
			const [a, b] = await context.streams(2, { history: { maxAgeMs } });
			// A manager may forget a session of which nobody holds a stream.
			await open(a, 'never held');
			await a.send(['never'], sse('old'));
			for (const id of ['s', 't 1']) {
				const client = await seenAndGone(a, id);
				const sentAt = performance.now();
				await a.send([id], sse('old'));
				const soon = await open(b, id, after(client));
				if (performance.now() - sentAt < maxAgeMs)
					assert.deepEqual([soon.continuation, ...soon.texts], ['resumed', 'old']);
				soon.leave();
				let back = soon;
				await until('the event is forgotten', async () => {
					back = await open(b, id, after(client));
					back.leave();
					return back.received.length === 0;
				});
				assert.ok(performance.now() - sentAt >= maxAgeMs - 50);
				// A manager may forget a request stream with its events.
				assert.ok(back.continuation === 'gap' || (id !== 's' && back.continuation === 'unknown'), back.continuation);
			}
			const late = await open(b, 'never');
			assert.deepEqual([late.continuation, ...late.texts], ['gap']);
		},
	},
	{
		id: 'stream/retention-after-age',
		promise: streamPromises.kept,
		title: 'events that remain after others expired are still limited in number and size',
		needs: ['streams', 'history', 'limits'],
		async run(context) {
			const maxAgeMs = 400;
			const [a, b] = await context.streams(2, { history: { maxAgeMs, maxBytes: 1_000 } });
			for (let round = 0; round < 3; round++) {
				const begin = performance.now();
				const client = await seenAndGone(a, 's');
				for (const n of numbers(1, 5)) await a.send(['s'], sse(`${n} ${'x'.repeat(100)}`));
				const back = await open(b, 's', after(client));
				// On a busy machine, some events have expired already.
				if (performance.now() - begin < maxAgeMs) {
					assert.deepEqual([back.continuation, back.received.length], ['resumed', 5]);
				}
				back.leave();
				await until('all of it is forgotten', async () => {
					const late = await open(b, 's', after(client));
					late.leave();
					return late.received.length === 0;
				});
			}
		},
	},
	{
		id: 'stream/gap-in-broadcasts',
		promise: streamPromises.ongap,
		title: 'dropped broadcasts give a gap',
		needs: ['streams', 'history', 'limits'],
		async run(context) {
			const [a, b] = await context.streams(2, { history: { maxEvents: 10 } });
			const client = await seenAndGone(a, 's');
			for (const n of numbers(1, 11)) await a.send(undefined, sse(n));
			const back = await open(b, 's', after(client));
			assert.equal(back.continuation, 'gap');
			assert.deepEqual(back.texts, numbers(2, 11));
		},
	},
	{
		id: 'stream/gap-before-first-client',
		promise: streamPromises.gapLeavesRest,
		title: 'dropped events that waited for a first client give a gap',
		needs: ['streams', 'history', 'limits'],
		async run(context) {
			const [a, b] = await context.streams(2, { history: { maxEvents: 3 } });
			for (const id of ['s', 't 1']) {
				for (const n of numbers(1, 4)) await a.send([id], sse(n));
				const client = await open(b, id);
				assert.equal(client.continuation, 'gap');
				assert.deepEqual(client.texts, ['2', '3', '4']);
				client.leave();
				await until('the stream is free', async () => !(await a.has(id)));
				assert.equal((await open(a, id)).continuation, 'fresh');
			}
		},
	},
	{
		id: 'stream/gap-awaited',
		promise: streamPromises.ongapAwaited,
		title: 'nothing is written before a client learns of its gap; whoever did not learn of it comes back to it',
		needs: ['streams', 'history', 'limits'],
		async run(context) {
			const [a, b] = await context.streams(2, { history: { maxEvents: 3 } });
			const client = await seenAndGone(a, 's');
			for (const n of numbers(1, 4)) await a.send(['s'], sse(n));
			const deaf = new StreamClient();
			const refusal = new Error('the client is gone');
			const refused = async () => b.create('s', deaf, { ...after(client), ongap: () => Promise.reject(refusal) });
			await assert.rejects(refused, refusal);
			assert.deepEqual(deaf.texts, []);

			const back = new StreamClient();
			let written = -1;
			await b.create('s', back, {
				...after(client),
				async ongap() {
					await a.send(['s'], sse(5));
					written = back.received.length;
				},
			});
			assert.equal(written, 0);
			assert.deepEqual((await back.hears(5)).slice(-2), ['4', '5']);
		},
	},
	{
		id: 'stream/no-gap-from-others',
		promise: streamPromises.resumed,
		title: 'a chatty request or another session causes no gap in a session stream or a quiet request',
		needs: ['streams', 'history', 'limits'],
		async run(context) {
			const [a, b] = await context.streams(2, { history: { maxEvents: 10 } });
			await open(a, 's chatty');
			for (const id of ['s', 's quiet']) {
				const quiet = await seenAndGone(a, id);
				await Promise.all(numbers(1, 50).flatMap((n) => [a.send(['s chatty'], sse(n)), a.send(['other'], sse(n))]));
				await a.send([id], sse('new'));
				const back = await open(b, id, after(quiet));
				assert.deepEqual([back.continuation, ...back.texts], ['resumed', 'new']);
			}
		},
	},
	{
		id: 'stream/unknown-request',
		promise: streamPromises.unknownRequest,
		title: 'an event id of a request stream that never was creates nothing, and its writer begins it as usual',
		needs: ['streams', 'history'],
		async run(context) {
			const [a, b] = await context.streams();
			const seen = await seenAndGone(a, 's 1');
			for (const position of [seen.received[0]?.id?.replace(/\/.*/, '') ?? '', '0', '0-0-0-0']) {
				const none = await open(b, 's 2', { lastEventId: `${position}/2`, prime: sse('prime') });
				assert.deepEqual([none.continuation, ...none.texts], ['unknown']);
				assert.equal(await a.has('s 2'), false);
			}
			await a.send(['s 2'], sse(1));
			const back = await open(b, 's 2');
			assert.deepEqual([back.continuation, ...back.texts], ['fresh', '1']);
		},
	},
	{
		id: 'stream/delete-forgets',
		promise: streamPromises.delete,
		title: 'a deleted stream begins anew, and an event id from before gives a gap',
		needs: ['streams', 'history'],
		async run(context) {
			const [a, b] = await context.streams();
			for (const id of ['s', 's 1']) {
				const client = await seenAndGone(a, id);
				await a.send([id], sse('forgotten'));
				await b.delete(id);
				const back = await open(b, id, after(client));
				assert.deepEqual([back.continuation, ...back.texts], [id === 's' ? 'gap' : 'unknown']);
				await b.delete(id);
				const fresh = await open(a, id);
				assert.deepEqual([fresh.continuation, ...fresh.texts], ['fresh']);
			}
		},
	},
];
