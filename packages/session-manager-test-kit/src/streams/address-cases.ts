import assert from 'node:assert/strict';
import { EVERY_NODE, nodeAddress } from '@holdfast/session-manager/custom';
import type { ContractCase } from '../contract-case.js';
import { lookAlikes, visibleCharacters } from '../hostile-texts.js';
import { numbers, open, sse } from '../stream-client.js';
import { streamPromises } from '../stream-promises.js';
import { until } from '../until.js';

/** Addresses and ids: who receives what, however it is spelled. */
export const addressCases: readonly ContractCase[] = [
	{
		id: 'stream/address-listeners',
		promise: streamPromises.address,
		title: 'every listener of an address gets what is sent to it from now on, in order, without ids',
		needs: ['streams', 'history'],
		async run(context) {
			const [a, b, c] = await context.streams(3);
			await a.send([EVERY_NODE], sse('too early'));
			const listeners = [await open(a, EVERY_NODE), await open(a, EVERY_NODE), await open(b, EVERY_NODE)];
			await Promise.all(numbers(1, 100).map((n) => c.send([EVERY_NODE], sse(n))));
			for (const listener of listeners) {
				assert.deepEqual(await listener.has(100), numbers(1, 100));
				assert.equal(
					listener.received.some(({ id }) => id !== undefined),
					false,
				);
			}
			assert.equal(await c.has(EVERY_NODE), true);
		},
	},
	{
		id: 'stream/address-left',
		promise: streamPromises.has,
		title: 'a listener that leaves gets nothing more, and the address is held until the last has left',
		needs: ['streams', 'history'],
		async run(context) {
			const [a, b] = await context.streams();
			const address = nodeAddress('n');
			const [first, second] = [await open(a, address), await open(b, address)];
			first.leave();
			await b.send([address], sse(1));
			await second.hears(1);
			assert.equal(await a.has(address), true);
			second.leave();
			await until('the address is free', async () => !(await a.has(address)));
			assert.deepEqual(first.texts, []);
		},
	},
	{
		id: 'stream/address-deleted',
		promise: streamPromises.delete,
		title: 'delete closes every listener of an address, on every peer',
		needs: ['streams', 'history'],
		async run(context) {
			const [a, b] = await context.streams();
			const address = nodeAddress('n');
			const listeners = [await open(a, address), await open(a, address), await open(b, address)];
			await a.delete(address);
			for (const listener of listeners) await listener.end();
			await until('the address is free', async () => !(await b.has(address)));
		},
	},
	{
		id: 'stream/address-failing-listener',
		promise: streamPromises.lostClient,
		title: 'a listener that fails harms no other',
		needs: ['streams', 'history'],
		async run(context) {
			const [a, b] = await context.streams();
			const fail = () => {
				throw new TypeError('gone');
			};
			await a.create(EVERY_NODE, { enqueue: fail, close: fail, error: fail, desiredSize: 1 });
			const listener = await open(a, EVERY_NODE);
			for (const n of numbers(1, 3)) await b.send([EVERY_NODE], sse(n));
			assert.deepEqual(await listener.has(3), numbers(1, 3));
		},
	},
	{
		id: 'stream/hostile-ids',
		promise: streamPromises.exactIds,
		title:
			'ids of any visible characters, up to 1 KB long, stay apart from look-alikes and from what the engine uses itself',
		needs: ['streams'],
		async run(context) {
			const [a, b] = await context.streams();
			const ids = lookAlikes.filter((id) => !id.includes(' '));
			const all = [
				...visibleCharacters,
				...ids,
				...ids.map((id) => `${id} 1`),
				...ids.map((id) => `s ${id.replaceAll('/', '|')}x`),
			];
			const streams = [...new Set(all)];
			const clients = await Promise.all(streams.map((id, index) => open(index % 2 === 0 ? a : b, id)));
			await b.send([EVERY_NODE, nodeAddress('s'), nodeAddress('}')], sse('to no client'));
			for (const [index, id] of streams.entries()) await (index % 3 === 0 ? a : b).send([id], sse(index));
			for (const [index, client] of clients.entries()) await client.hears(index);
			await a.send(undefined, sse('to sessions'));
			for (const [index, client] of clients.entries()) {
				const last = streams[index]?.includes(' ') === true ? String(index) : 'to sessions';
				assert.deepEqual(await client.hears(last), [...new Set([String(index), last])], streams[index]);
			}
			for (const id of streams.filter((each) => each !== 's')) {
				await a.delete(id);
				assert.equal(await b.has('s'), true);
			}
			const kept = clients[streams.indexOf('s')];
			await a.send(['s'], sse('still there'));
			await kept?.hears('still there');
			const broadcast = await open(a, 'after');
			await b.send(undefined, sse('again'));
			assert.deepEqual(await broadcast.hears('again'), ['again']);
		},
	},
];
