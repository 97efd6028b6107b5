import assert from 'node:assert/strict';
import { requestStreamId } from '@holdfast/session-manager/custom';
import type { ContractCase } from '../contract-case.js';
import { numbers, open, StreamClient, sse } from '../stream-client.js';
import { streamPromises } from '../stream-promises.js';
import { until } from '../until.js';

/** The promises of the four verbs alone, without history. */
export const verbCases: readonly ContractCase[] = [
	{
		id: 'stream/has',
		promise: streamPromises.has,
		title: 'a stream is held from create to delete, and no other is',
		needs: ['streams'],
		async run(context) {
			const [a, b] = await context.streams();
			const request = requestStreamId('s', '1');
			await open(a, request);
			assert.deepEqual(
				[await b.has(request), await b.has('s'), await b.has(requestStreamId('s', '2'))],
				[true, false, false],
			);
			await open(b, 's');
			for (const streams of [a, b]) assert.equal(await streams.has('s'), true);
			await a.delete('s');
			for (const streams of [a, b]) await until('nobody holds the stream', async () => !(await streams.has('s')));
		},
	},
	{
		id: 'stream/delete',
		promise: streamPromises.delete,
		title: 'delete on any node closes the stream, and later events do not reach its former holder',
		needs: ['streams'],
		async run(context) {
			const [a, b] = await context.streams();
			const other = await open(a, 'other');
			for (const [id, deletes] of [
				['s', b],
				['t', a],
			] as const) {
				const client = await open(a, id);
				await b.send([id], sse('before'));
				await client.hears('before');
				await deletes.delete(id);
				assert.deepEqual(await client.end(), ['before']);
				for (const streams of [a, b]) await until('nobody holds it', async () => !(await streams.has(id)));
				await b.send([id, 'other'], sse(`after ${id}`));
				await other.hears(`after ${id}`);
				assert.deepEqual(client.texts, ['before']);
			}
			assert.equal(other.ended, false);
		},
	},
	{
		id: 'stream/chunks',
		promise: streamPromises.chunk,
		title: 'each chunk is one whole event, however many are sent at once',
		needs: ['streams'],
		async run(context) {
			const [a, b] = await context.streams();
			const client = await open(a, 's');
			const chunks: string[] = [];
			client.onchunk = (text) => chunks.push(text);
			const events = numbers(1, 50).map((n) => `event: message\ndata: ${n}\ndata: ${'ä'.repeat(Number(n) * 10)}\n\n`);
			await Promise.all(events.map((event, n) => b.send(n % 5 === 0 ? ['s', 'nobody'] : ['s'], event)));
			await client.has(50);
			assert.deepEqual(
				chunks.map((chunk) => chunk.replace(/^id: [^\n]*\n/, '')),
				events,
			);
		},
	},
	{
		id: 'stream/vanished-client',
		promise: streamPromises.lostClient,
		title: 'a client that vanished harms no other client, and no send, takeover or delete',
		needs: ['streams'],
		async run(context) {
			const [a, b] = await context.streams();
			const [gone, gone2, other] = [await open(a, 's'), await open(a, 't'), await open(a, 'u')];
			gone.vanish();
			gone2.vanish();
			await b.send(['s', 'u'], sse(1));
			await b.send(undefined, sse(2));
			await b.send(['u'], sse(3));
			assert.deepEqual([...(await other.has(3))].sort(), ['1', '2', '3']);
			const back = await open(b, 's');
			await a.delete('t');
			await a.send(['s'], sse('live'));
			await back.hears('live');
			assert.equal(await a.has('t'), false);
		},
	},
	{
		id: 'stream/same-time',
		promise: streamPromises.newestWins,
		title: 'of many streams that are opened and used concurrently, each gets its own messages',
		needs: ['streams'],
		async run(context) {
			const [a, b] = await context.streams();
			const ids = numbers(1, 50).map((n) => `s${n}`);
			const clients = ids.map(() => new StreamClient());
			await Promise.all(ids.map((id, n) => (n % 2 === 0 ? a : b).create(id, clients[n] ?? new StreamClient())));
			await Promise.all(ids.map((id, n) => (n % 3 === 0 ? a : b).send([id], sse(id))));
			for (const [n, client] of clients.entries()) assert.deepEqual(await client.hears(`s${n + 1}`), [`s${n + 1}`]);
		},
	},
];
