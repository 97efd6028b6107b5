import assert from 'node:assert/strict';
import { END_OF_STREAM } from '@holdfast/session-manager/custom';
import type { ContractCase } from '../contract-case.js';
import { after, numbers, open, sse } from '../stream-client.js';
import { streamPromises } from '../stream-promises.js';
import { until } from '../until.js';

/** How request streams end: after their last event, whoever holds them. */
export const endingCases: readonly ContractCase[] = [
	{
		id: 'stream/end-of-request',
		promise: streamPromises.endOfStream,
		title: 'a request stream closes after its last event, and has ended for a client that saw it',
		needs: ['streams', 'history'],
		async run(context) {
			const [a, b] = await context.streams();
			for (const [index, last] of [`data: answer\n${END_OF_STREAM}\n\n`, `${END_OF_STREAM}\n\n`].entries()) {
				const id = `s ${index}`;
				const client = await open(a, id, { prime: sse('prime') });
				await b.send([id], sse('progress'));
				await b.send([id], last);
				await client.end();
				await until('the stream is free', async () => !(await b.has(id)));
				for (const count of client.received.keys()) {
					const back = await open(b, id, after(client, count + 1));
					const rest = client.texts.slice(count + 1);
					assert.equal(back.continuation, rest.length === 0 ? 'ended' : 'resumed');
					if (rest.length > 0) assert.deepEqual(await back.end(), rest);
					assert.deepEqual(back.texts, rest);
				}
				assert.equal((await open(b, id)).continuation, 'ended');
				assert.equal(await a.has(id), false);
			}
		},
	},
	{
		id: 'stream/ended',
		promise: streamPromises.ended,
		title: 'a client that opens a finished request stream gets `ended` and no event, on every peer',
		needs: ['streams', 'history'],
		async run(context) {
			const [a, b] = await context.streams();
			const client = await open(a, 's 1', { prime: sse('prime') });
			await b.send(['s 1'], `data: answer\n${END_OF_STREAM}\n\n`);
			await client.end();
			for (const manager of [a, b]) {
				const back = await open(manager, 's 1', { ...after(client), prime: sse('not used') });
				assert.deepEqual([back.continuation, back.texts, back.ended], ['ended', [], false]);
				back.leave();
				assert.equal(await manager.has('s 1'), false);
			}
			// The session's other streams continue.
			const other = await open(b, 's 2');
			await a.send(['s 2'], sse(1));
			assert.deepEqual([other.continuation, ...(await other.hears(1))], ['fresh', '1']);
		},
	},
	{
		id: 'stream/sent-after-end',
		promise: streamPromises.sentAfterEnd,
		title: 'nothing comes after the last event of a request stream, whoever sends it, and whether it was held or not',
		needs: ['streams', 'history'],
		async run(context) {
			const [a, b] = await context.streams();
			const last = `data: answer\n${END_OF_STREAM}\n\n`;
			for (const held of [true, false]) {
				const id = `s ${held}`;
				const open1 = held ? await open(a, id) : undefined;
				await b.send([id], last);
				for (const manager of [a, b]) {
					await manager.send([id], sse('late'));
					await manager.send([id], last);
				}
				const client = open1 ?? (await open(a, id));
				assert.deepEqual(await client.end(), ['answer']);
				for (const manager of [a, b]) {
					const back = await open(manager, id, after(client));
					assert.deepEqual([back.continuation, back.texts], ['ended', []]);
				}
			}
		},
	},
	{
		id: 'stream/ended-and-forgotten',
		promise: streamPromises.endedForGood,
		title: 'a client that saw the last event gets `ended` although the history holds nothing of the stream any more',
		needs: ['streams', 'history', 'limits'],
		async run(context) {
			const [a, b] = await context.streams(2, { history: { maxEvents: 3 } });
			const client = await open(a, 's 1', { prime: sse('prime') });
			await b.send(['s 1'], `data: answer\n${END_OF_STREAM}\n\n`);
			await client.end();
			for (const n of numbers(1, 10)) await a.send(['s'], sse(n));
			for (const manager of [a, b]) assert.equal((await open(manager, 's 1', after(client))).continuation, 'ended');
			await b.delete('s');
			for (const manager of [a, b]) assert.equal((await open(manager, 's 1', after(client))).continuation, 'ended');
		},
	},
	{
		id: 'stream/end-while-away',
		promise: streamPromises.endOfStream,
		title: 'a last event sent while nobody held the request stream is delivered',
		needs: ['streams', 'history'],
		async run(context) {
			const [a, b] = await context.streams();
			(await open(a, 's 1')).leave();
			await until('the stream is free', async () => !(await b.has('s 1')));
			await b.send(['s 1'], `data: answer\n${END_OF_STREAM}\n\n`);
			const client = await open(b, 's 1');
			assert.equal(client.continuation, 'fresh');
			assert.deepEqual(await client.end(), ['answer']);
		},
	},
	{
		id: 'stream/end-not-spoofed',
		promise: streamPromises.endOfStream,
		title: 'text that only resembles the end does not end a request stream, and nothing ends a session stream that way',
		needs: ['streams', 'history'],
		async run(context) {
			const [a, b] = await context.streams();
			const [request, session] = [await open(a, 's 1'), await open(a, 's')];
			await b.send(['s 1'], `data: ${END_OF_STREAM}\n\n`);
			await b.send(['s 1'], `data: x\n:ending\n\n`);
			await b.send(['s'], `data: x\n${END_OF_STREAM}\n\n`);
			await b.send(['s', 's 1'], sse('last'));
			await Promise.all([request.hears('last'), session.hears('last')]);
			assert.deepEqual([request.ended, session.ended], [false, false]);
		},
	},
];
