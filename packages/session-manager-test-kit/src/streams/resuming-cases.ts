import assert from 'node:assert/strict';
import { requestStreamId } from '@holdfast/session-manager/custom';
import type { ContractCase } from '../contract-case.js';
import { after, numbers, open, sse } from '../stream-client.js';
import { streamPromises } from '../stream-promises.js';
import { until } from '../until.js';

/** The controller of a stream that nobody reads. */
function unread(): ReadableStreamDefaultController<Uint8Array> {
	let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
	const start = (opened: ReadableStreamDefaultController<Uint8Array>) => {
		controller = opened;
	};
	new ReadableStream({ start }, new ByteLengthQueuingStrategy({ highWaterMark: 1 }));
	assert.ok(controller);
	return controller;
}

/** Promise 2, for clients that come back: each message once, with no gap, on any peer. */
export const resumingCases: readonly ContractCase[] = [
	{
		id: 'stream/resumable',
		promise: streamPromises.resumable,
		title:
			'a manager that says that it is resumable returns how each stream continues, and writes ids where they belong',
		needs: ['streams', 'history'],
		async run(context) {
			const [a, b] = await context.streams();
			assert.deepEqual([a.resumable, b.resumable], [true, true]);
			const clients = [await open(a, 's'), await open(b, 's 1'), await open(a, ' n')];
			assert.deepEqual(
				clients.map(({ continuation }) => continuation),
				['fresh', 'fresh', 'fresh'],
			);
			await b.send(['s', 's 1', ' n'], sse(1));
			for (const client of clients) await client.hears(1);
			assert.deepEqual(
				clients.map(({ received }) => received[0]?.id !== undefined),
				[true, true, false],
			);
		},
	},
	{
		id: 'stream/resume-other-peer',
		promise: streamPromises.lastEventId,
		title:
			'a client gets every event after the last one that it saw, once and in order, on another peer, then live ones',
		needs: ['streams', 'history'],
		async run(context) {
			const [a, b] = await context.streams();
			for (const id of ['s', requestStreamId('s', '1')]) {
				const first = await open(a, id);
				for (const n of numbers(1, 5)) await b.send([id], sse(n));
				await first.has(5);
				first.leave();
				for (const n of numbers(6, 8)) await a.send([id], sse(n));
				for (let seen = 1; seen <= 5; seen++) {
					const back = await open(b, id, after(first, seen));
					assert.equal(back.continuation, 'resumed');
					await a.send([id], sse(`live ${seen}`));
					const live = numbers(1, seen).map((n) => `live ${n}`);
					assert.deepEqual(await back.hears(`live ${seen}`), [...numbers(seen + 1, 8), ...live]);
					// Resuming from the same position again gives the same events under the same ids.
					const again = await open(a, id, after(first, seen));
					await again.has(back.received.length);
					assert.deepEqual(again.received, back.received);
				}
			}
		},
	},
	{
		id: 'stream/resume-with-broadcasts',
		promise: streamPromises.resumed,
		title: 'a session stream resumes with its own messages and broadcasts, in the order in which they were sent',
		needs: ['streams', 'history'],
		async run(context) {
			const [a, b] = await context.streams();
			const first = await open(a, 's', { prime: sse('prime') });
			first.leave();
			for (const n of numbers(1, 20)) await b.send(Number(n) % 3 === 0 ? undefined : ['s', 'other'], sse(n));
			const back = await open(b, 's', after(first));
			assert.equal(back.continuation, 'resumed');
			assert.deepEqual(await back.has(20), numbers(1, 20));
		},
	},
	{
		id: 'stream/waiting-delivered-once',
		promise: streamPromises.waiting,
		title: 'events sent while nobody held the stream go to the first client that opens it, and only to that one',
		needs: ['streams', 'history'],
		async run(context) {
			const [a, b] = await context.streams();
			for (const id of ['s', requestStreamId('s', '1')]) {
				for (const n of numbers(1, 3)) await a.send([id], sse(n));
				const first = await open(b, id, { prime: sse('prime') });
				assert.equal(first.continuation, 'fresh');
				assert.deepEqual(await first.has(4), ['prime', ...numbers(1, 3)]);
				const second = await open(a, id);
				await a.send([id], sse(4));
				assert.deepEqual(await second.hears(4), ['4']);
				second.leave();
				await until('the stream is free', async () => !(await b.has(id)));
				await a.send([id], sse(5));
				assert.deepEqual(await (await open(b, id)).hears(5), ['5']);
			}
		},
	},
	{
		id: 'stream/delivered-once',
		promise: streamPromises.delivered,
		title: 'what was handed to a client that did not read it is not handed to the next without a last event id',
		needs: ['streams', 'history'],
		async run(context) {
			const [a, b] = await context.streams();
			for (const id of ['s', requestStreamId('s', '1')]) {
				const chunks: Uint8Array[] = [];
				const attachment = await a.create(id, {
					enqueue: (chunk) => chunks.push(chunk),
					close() {},
					desiredSize: 0,
				});
				for (const n of numbers(1, 3)) await a.send([id], sse(n));
				await until('all is handed over', () => chunks.length === 3);
				assert.ok(attachment);
				attachment.detach();
				await until('the stream is free', async () => !(await b.has(id)));
				await b.send([id], sse(4));
				const next = await open(b, id);
				assert.deepEqual([next.continuation, ...(await next.hears(4))], ['fresh', '4']);
			}
		},
	},
	{
		id: 'stream/sent-while-opening',
		promise: streamPromises.waiting,
		title: 'a message that is sent while the first client opens the stream is delivered',
		needs: ['streams', 'history'],
		async run(context) {
			const [a, b] = await context.streams();
			for (let round = 0; round < 30; round++) {
				const id = `s${round}`;
				const [client] = await Promise.all([open(b, id), ...numbers(1, 5).map((n) => a.send([id], sse(n)))]);
				await a.send([id], sse(6));
				assert.deepEqual(await client.hears(6), numbers(1, 6));
			}
		},
	},
	{
		id: 'stream/broadcast-waits',
		promise: streamPromises.fresh,
		title: 'broadcasts sent while the client of a session is away wait for it, with a last event id or without',
		needs: ['streams', 'history'],
		async run(context) {
			const [a, b] = await context.streams();
			for (const resumes of [true, false]) {
				const first = await open(a, 's');
				await b.send(undefined, sse('seen'));
				await first.hears('seen');
				first.leave();
				await until('the stream is free', async () => !(await b.has('s')));
				await b.send(undefined, sse('missed'));
				const back = await open(b, 's', resumes ? after(first) : {});
				assert.equal(back.continuation, resumes ? 'resumed' : 'fresh');
				assert.deepEqual(await back.hears('missed'), ['missed']);
				back.leave();
			}
		},
	},
	{
		id: 'stream/broadcasts-since',
		promise: streamPromises.since,
		title: 'a session stream that nobody has held yet begins with the broadcasts since the session began',
		needs: ['streams', 'history'],
		async run(context) {
			const [a, b] = await context.streams();
			await a.send(undefined, sse('before'));
			const since = (await a.position()) ?? '';
			await a.send(undefined, sse('since'));
			const first = await open(b, 's', { since });
			assert.deepEqual([first.continuation, ...(await first.hears('since'))], ['fresh', 'since']);
			const second = await open(a, 's', { since });
			await b.send(undefined, sse('now'));
			assert.deepEqual(await second.hears('now'), ['now']);
			// The record of a session may outlive the streams, and a store may be followed by another.
			assert.equal((await open(b, 'moved', { since: 'of another manager' })).continuation, 'gap');
		},
	},
	{
		id: 'stream/prime-resumes',
		promise: streamPromises.prime,
		title: 'a stream that was primed can be resumed before any message, on any peer',
		needs: ['streams', 'history'],
		async run(context) {
			const [a, b] = await context.streams();
			await a.send(['s', 's 2'], sse('earlier'));
			for (const id of ['s', 's 1', 's 2']) {
				const first = await open(a, id, { prime: sse('prime') });
				first.leave();
				await b.send([id], sse(1));
				const back = await open(b, id, after(first, 1));
				assert.equal(back.continuation, 'resumed');
				assert.deepEqual(await back.hears(1), id === 's 1' ? ['1'] : ['earlier', '1']);
			}
		},
	},
	{
		id: 'stream/prime-not-kept',
		promise: streamPromises.primeNotKept,
		title: 'a client that comes back gets no prime of an earlier one, and each prime has an id of its own',
		needs: ['streams', 'history'],
		async run(context) {
			const [a, b] = await context.streams();
			for (const id of ['s', 's 1']) {
				const first = await open(a, id, { prime: sse('prime') });
				const second = await open(b, id, { ...after(first), prime: sse('second prime') });
				await a.send([id], sse(1));
				assert.deepEqual(await second.hears(1), ['second prime', '1']);
				const third = await open(a, id, after(first));
				assert.deepEqual([third.continuation, ...(await third.hears(1))], ['resumed', '1']);
				const ids = [...first.received, ...second.received].map((event) => event.id);
				assert.equal(new Set(ids).size, 3);
			}
		},
	},
	{
		id: 'stream/foreign-event-ids',
		promise: streamPromises.apart,
		title: 'no stream resumes with an event id of another stream or session, nor with an invalid one',
		needs: ['streams', 'history'],
		async run(context) {
			const [a, b] = await context.streams();
			const ids = ['s', 's 1', 's 2', 't', 't 1'];
			const clients = [];
			for (const id of ids) clients.push(await open(a, id));
			for (const id of ids) await a.send([id], sse(`secret of ${id}`));
			await Promise.all(clients.map((client) => client.has(1)));
			const hostile = [
				'',
				'0',
				'-',
				'x-y-z',
				`a-${'z'.repeat(60)}-b-0`,
				'0-0-0-0',
				'0-1-0-1/1',
				`${'9'.repeat(600)}`,
				'ä',
				'\0',
			];
			for (const [index, id] of ids.entries()) {
				const own = clients[index]?.received[0]?.id;
				const others = clients.map((client) => client.received[0]?.id ?? '').filter((other) => other !== own);
				for (const lastEventId of [...others, ...hostile]) {
					const back = await open(b, id, { lastEventId });
					assert.notEqual(back.continuation, 'ended');
					for (const text of back.texts) assert.equal(text, `secret of ${id}`);
				}
				for (const lastEventId of hostile) {
					assert.equal((await open(b, id, { lastEventId })).continuation, 'gap', JSON.stringify(lastEventId));
				}
			}
		},
	},
	{
		id: 'stream/slow-reader',
		promise: streamPromises.slowClient,
		title: 'a client that does not read is cut off at the limit, alone, and gets the rest when it resumes',
		needs: ['streams', 'history', 'limits'],
		async run(context) {
			const [a, b] = await context.streams(2, { maxBufferedBytes: 10_000 });
			const slow = unread();
			await a.create('s', slow);
			const other = await open(a, 't');
			const text = (n: string) => `${n} ${'x'.repeat(990)}`;
			for (const n of numbers(1, 40)) await b.send(['s', 't'], sse(text(n)));
			await other.has(40);
			await until('the slow client is cut off', async () => !(await b.has('s')));
			assert.equal(slow.desiredSize, null);
			const fresh = await open(b, 's');
			assert.equal(fresh.continuation, 'fresh');
			await b.send(['s'], sse('last'));
			await fresh.hears('last');
			// What was written in vain counts as delivered; a client with an event id resumes to get it.
			assert.deepEqual(fresh.texts.slice(0, -1), numbers(41 - (fresh.received.length - 1), 40).map(text));
			assert.ok(fresh.received.length > 20);
		},
	},
];
