import assert from 'node:assert/strict';
import { EVERY_NODE, nodeAddress, type StreamController, StreamSessionManager } from '@holdfast/session-manager/custom';
import type { ContractCase } from '../contract-case.js';
import { after, numbers, open, StreamClient, sse } from '../stream-client.js';
import { streamPromises } from '../stream-promises.js';
import { until } from '../until.js';

/** An event with everything that an event may contain. */
const everything = `event: x\nretry: 5\ndata: {"text":"ä€😀\u2028 \\u0000"}\ndata: ${'x'.repeat(100_000)}\ndata:\n: comment\n\n`;

/** A controller that appends its chunks to `chunks`. */
function collecting(chunks: string[]): StreamController {
	return {
		enqueue: (chunk) => chunks.push(new TextDecoder().decode(chunk)),
		close() {},
		desiredSize: 1,
	};
}

/** Promise 2, for open streams: the right one only, exactly once, in order. */
export const deliveryCases: readonly ContractCase[] = [
	{
		id: 'stream/order',
		promise: streamPromises.send,
		title: 'messages arrive on another peer in the order in which they were sent, even if `send` is not awaited',
		needs: ['streams'],
		async run(context) {
			const [a, b] = await context.streams();
			const client = await open(b, 's');
			const isToAll = (text: string) => Number(text) % 7 === 0;
			await Promise.all(numbers(1, 500).map((n) => a.send(isToAll(n) ? undefined : ['s'], sse(n))));
			const texts = await client.has(500);
			for (const toAll of [true, false]) {
				const isOf = (text: string) => isToAll(text) === toAll;
				assert.deepEqual(texts.filter(isOf), numbers(1, 500).filter(isOf));
			}
		},
	},
	{
		id: 'stream/order-of-request',
		promise: streamPromises.send,
		title: 'messages to a request stream that the sender holds arrive all, and in order, even if `send` is not awaited',
		needs: ['streams', 'history'],
		async run(context) {
			const [a, b] = await context.streams();
			for (const holder of [a, b]) {
				const client = await open(holder, `s ${holder === a}`);
				await Promise.all(numbers(1, 300).map((n) => a.send([`s ${holder === a}`], sse(n))));
				assert.deepEqual(await client.has(300), numbers(1, 300));
			}
		},
	},
	{
		id: 'stream/one-order',
		promise: streamPromises.send,
		title: 'messages to one stream and broadcasts arrive in the order in which they were sent, and resume in it',
		needs: ['streams', 'history', 'oneOrder'],
		async run(context) {
			const [a, b] = await context.streams();
			const client = await open(b, 's', { prime: sse('prime') });
			await Promise.all(numbers(1, 100).map((n) => a.send(Number(n) % 7 === 0 ? undefined : ['s'], sse(n))));
			assert.deepEqual((await client.has(101)).slice(1), numbers(1, 100));
			assert.deepEqual(await (await open(a, 's', after(client, 1))).has(100), numbers(1, 100));
		},
	},
	{
		id: 'stream/targeted',
		promise: streamPromises.send,
		title: 'a message goes only to the named streams, once even if a stream is named several times',
		needs: ['streams'],
		async run(context) {
			const [a, b] = await context.streams();
			const ids = ['a', 'a 1', 'a 2', 'b', 'b 1', nodeAddress('a'), EVERY_NODE];
			const clients = new Map<string, Awaited<ReturnType<typeof open>>>();
			for (const [index, id] of ids.entries()) clients.set(id, await open(index % 2 === 0 ? a : b, id));
			for (const id of ids) await a.send([id], sse(`to ${id}`));
			await b.send([...ids, ...ids, 'nobody'], sse('to all of these'));
			for (const [id, client] of clients) {
				assert.deepEqual(await client.hears('to all of these'), [`to ${id}`, 'to all of these']);
			}
			for (const client of clients.values()) assert.equal(client.received.length, 2);
		},
	},
	{
		id: 'stream/broadcast',
		promise: streamPromises.send,
		title: 'a broadcast reaches the session streams of all peers, once, and nothing else',
		needs: ['streams'],
		async run(context) {
			const peers = await context.streams(3);
			const sessions = await Promise.all(numbers(0, 8).map((n) => open(peers[Number(n) % 3] ?? peers[0], `s${n}`)));
			const others = await Promise.all(['s0 1', nodeAddress('n'), EVERY_NODE].map((id) => open(peers[0], id)));
			await peers[1].send(undefined, sse('to everyone'));
			for (const [n, client] of sessions.entries()) {
				await client.hears('to everyone');
				await peers[2].send([`s${n}`], sse('last'));
				assert.deepEqual(await client.hears('last'), ['to everyone', 'last']);
			}
			for (const client of others) assert.deepEqual(client.texts, []);
		},
	},
	{
		id: 'stream/unknown-ids',
		promise: streamPromises.unknown,
		title: 'unknown ids are not an error and are not held',
		needs: ['streams'],
		async run(context) {
			const [a, b] = await context.streams();
			for (const id of ['nobody', 'nobody 1', nodeAddress('nobody'), '', '__proto__', 'constructor']) {
				assert.equal(await a.has(id), false);
				await a.delete(id);
				await b.send([id], sse('hello'));
				assert.equal(await a.has(id), false);
			}
			await a.send([], sse('to no one'));
		},
	},
	{
		id: 'stream/event-text',
		promise: streamPromises.text,
		title: 'an event arrives exactly as it was sent, preceded only by its id',
		needs: ['streams'],
		async run(context) {
			const [a, b] = await context.streams();
			const chunks: string[] = [];
			await a.create('s', collecting(chunks));
			await b.send(['s'], everything);
			await until('the event is there', () => chunks.length === 1);
			assert.equal(chunks[0]?.replace(/^id: [^\n]+\n/, ''), everything);
		},
	},
	{
		id: 'stream/event-ids',
		promise: streamPromises.history,
		title: 'each event has a unique id with history, and none without',
		needs: ['streams', 'history'],
		async run(context) {
			const [a, b] = await context.streams();
			const [withIds, without]: [string[], string[]] = [[], []];
			await a.create('s', collecting(withIds), { prime: sse('prime') });
			await a.create('t', collecting(without), { history: false });
			for (let n = 0; n < 3; n++) await b.send(['s', 't'], everything);
			await b.send(undefined, everything);
			await until('the events are there', () => withIds.length === 5 && without.length === 4);
			const ids = withIds.map((text) => /^id: ([\x21-\x7e]+)\n/.exec(text)?.[1]);
			assert.equal(new Set(ids).size, 5);
			assert.equal(ids.includes(undefined), false);
			assert.deepEqual(without, Array(4).fill(everything));
		},
	},
	{
		id: 'stream/has-until-detached',
		promise: streamPromises.has,
		title: 'whether a stream is held is known on every peer, from create to the end',
		needs: ['streams', 'history'],
		async run(context) {
			const [a, b] = await context.streams();
			for (const id of ['s', 's 1', nodeAddress('n')]) {
				assert.equal(await b.has(id), false);
				const client = await open(a, id);
				assert.equal(await b.has(id), true);
				assert.equal(await a.has(id), true);
				client.leave();
				await until('the stream is free', async () => !(await b.has(id)));
			}
			await open(a, 't 1');
			assert.equal(await b.has('t'), false);
		},
	},
	{
		id: 'stream/vanished-client-noticed',
		promise: streamPromises.kept,
		title: 'a client that vanished is noticed at the next message, which is kept for it',
		needs: ['streams', 'history'],
		async run(context) {
			const [a, b] = await context.streams();
			const client = await open(a, 's');
			client.vanish();
			await b.send(['s'], sse(1));
			await until('the stream is free', async () => !(await b.has('s')));
			const back = await open(b, 's');
			assert.deepEqual(await back.hears(1), ['1']);
		},
	},
	{
		id: 'stream/delete-session',
		promise: streamPromises.deleteSession,
		title: 'delete on any peer closes the stream, and of a session its request streams too',
		needs: ['streams', 'history'],
		async run(context) {
			const [a, b] = await context.streams();
			const session = await open(a, 's');
			const requests = [await open(a, 's 1'), await open(b, 's 2'), await open(b, 's 3')];
			const others = [await open(a, 't'), await open(b, 't 1'), await open(b, 's2')];
			await b.delete('s 1');
			await requests[0]?.end();
			assert.equal(session.ended, false);
			await b.delete('s');
			await Promise.all([session, ...requests].map((client) => client.end()));
			for (const id of ['s', 's 1', 's 2', 's 3']) {
				await until('the stream is free', async () => !(await a.has(id)));
			}
			await a.send(['t', 't 1', 's2'], sse(1));
			for (const client of others) assert.deepEqual(await client.hears(1), ['1']);
		},
	},
	{
		id: 'stream/close',
		promise: streamPromises.closed,
		title: 'close ends every stream of this node, once, and later calls reject',
		needs: ['streams', 'history'],
		async run(context) {
			const [a] = await context.streams(1);
			const clients = await Promise.all(['s', 's 1', nodeAddress('a'), EVERY_NODE].map((id) => open(a, id)));
			await a.close();
			await a.close();
			await a[Symbol.asyncDispose]();
			assert.deepEqual(
				clients.map(({ ended }) => ended),
				[true, true, true, true],
			);
			for (const client of clients) client.leave();
			const calls: (() => unknown)[] = [
				() => a.create('s', new StreamClient()),
				() => a.send(['s'], sse(1)),
				() => a.send(undefined, sse(1)),
				() => a.has('s'),
				() => a.delete('s'),
			];
			// Not every manager has these.
			const { position, expireIn } = StreamSessionManager.prototype;
			if (a.position !== position) calls.push(() => a.position());
			if (a.expireIn !== expireIn) calls.push(() => a.expireIn('s', 1_000));
			for (const call of calls) await assert.rejects(async () => call(), { code: 'closed' });
		},
	},
	{
		id: 'stream/close-of-one-node',
		promise: streamPromises.close,
		title: 'close gives up the streams of this node and touches none of another',
		needs: ['streams', 'history', 'crossNode'],
		async run(context) {
			const [a, b] = await context.streams();
			const mine = await Promise.all(['s', 's 1', nodeAddress('a'), EVERY_NODE].map((id) => open(a, id)));
			const theirs = await Promise.all(['t', EVERY_NODE].map((id) => open(b, id)));
			await a.close();
			for (const client of mine) await client.end();
			for (const id of ['s', 's 1', nodeAddress('a')]) await until('it is free', async () => !(await b.has(id)));
			await b.send(['t', EVERY_NODE], sse(1));
			for (const client of theirs) assert.deepEqual(await client.hears(1), ['1']);
		},
	},
];
