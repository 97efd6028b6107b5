import assert from 'node:assert/strict';
import { EVERY_NODE, nodeAddress } from '@holdfast/session-manager';
import { numbers, open, peersOf, type StreamCase, sse, until } from './case.ts';

/** Promise 2, on streams that are held: exactly the right one, once, in order. */
export const deliveryCases: readonly StreamCase[] = [
	{
		title: 'messages arrive on another peer in the order in which they were sent, also without waiting for each',
		async run(context) {
			const [a, b] = await peersOf(context, 2);
			const client = await open(b, 's');
			const isToAll = (text: string) => Number(text) % 7 === 0;
			await Promise.all(numbers(1, 500).map((n) => a.send(isToAll(n) ? undefined : ['s'], sse(n))));
			const texts = await client.has(500);
			if (context.oneOrder) assert.deepEqual(texts, numbers(1, 500));
			assert.deepEqual(texts.filter(isToAll), numbers(1, 500).filter(isToAll));
			assert.deepEqual(
				texts.filter((text) => !isToAll(text)),
				numbers(1, 500).filter((n) => !isToAll(n)),
			);
		},
	},
	{
		title: 'a message goes to the streams that are named and to no other, once however often they are named',
		async run(context) {
			const [a, b] = await peersOf(context, 2);
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
		title: 'a message to everyone reaches the session streams of all peers, once, and nothing else',
		async run(context) {
			const peers = await peersOf(context, 3);
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
		title: 'ids that nobody knows are no error and hold nothing',
		async run(context) {
			const [a, b] = await peersOf(context, 2);
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
		title: 'an event arrives as it was sent, after its id and nothing else',
		async run(context) {
			const [a, b] = await peersOf(context, 2);
			const chunks: string[] = [];
			const controller = {
				enqueue: (chunk: Uint8Array) => chunks.push(new TextDecoder().decode(chunk)),
				close() {},
				desiredSize: 1,
			};
			const data = `event: x\nretry: 5\ndata: {"text":"ä€😀 \\u0000"}\ndata: ${'x'.repeat(100_000)}\n: comment\n\n`;
			await a.create('s', controller);
			await b.send(['s'], data);
			await until('the event is there', () => chunks.length === 1);
			assert.match(chunks[0] ?? '', /^id: [^\n]+\n/);
			assert.equal(chunks[0]?.replace(/^id: [^\n]+\n/, ''), data);
			chunks.length = 0;
			await a.create('t', controller, { history: false });
			await b.send(['t'], data);
			await until('the event is there', () => chunks.length === 1);
			assert.equal(chunks[0], data);
		},
	},
	{
		title: 'whether a stream is held is known on every peer, from create to the end',
		async run(context) {
			const [a, b] = await peersOf(context, 2);
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
		title: 'a client that vanished is noticed at the next message, which waits for it',
		async run(context) {
			const [a, b] = await peersOf(context, 2);
			const client = await open(a, 's');
			client.vanish();
			await b.send(['s'], sse(1));
			await until('the stream is free', async () => !(await b.has('s')));
			const back = await open(b, 's');
			assert.deepEqual(await back.hears(1), ['1']);
		},
	},
	{
		title: 'delete on any peer closes the stream, and of a session its request streams too',
		async run(context) {
			const [a, b] = await peersOf(context, 2);
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
		title: 'close ends every stream of this peer and of no other, once, and refuses what comes later',
		async run(context) {
			const [a, b] = await peersOf(context, 2);
			const mine = await Promise.all(['s', 's 1', nodeAddress('a'), EVERY_NODE].map((id) => open(a, id)));
			const theirs = await Promise.all(['t', EVERY_NODE].map((id) => open(b, id)));
			await a.close();
			await a.close();
			await a[Symbol.asyncDispose]();
			assert.deepEqual(
				mine.map(({ ended }) => ended),
				[true, true, true, true],
			);
			for (const client of mine) client.leave();
			await until('the streams are free', async () => !(await b.has('s')) && !(await b.has('s 1')));
			await assert.rejects(async () => a.create('s', await open(b, 'u')), { code: 'closed' });
			await assert.rejects(async () => a.send(['s'], sse(1)), { code: 'closed' });
			await b.send(['t', EVERY_NODE], sse(1));
			for (const client of theirs) assert.deepEqual(await client.hears(1), ['1']);
		},
	},
];
