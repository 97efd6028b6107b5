import assert from 'node:assert/strict';
import { after, numbers, open, sse, until } from '@holdfast/session-manager-test-kit/own-cases';
import { describeContract } from '@holdfast/session-manager-test-kit/vitest';
import { describe, it } from 'vitest';
import { brokered } from './broker-factory.ts';
import { ToyBroker } from './toy-broker.ts';
import { ToyBrokerManager } from './toy-broker-manager.ts';

describe('a manager of the broker’s hooks alone', () => {
	describeContract(brokered());
});

describe('after the broker was away', () => {
	it('misses nothing of a stream that was being opened, however often the broker went', async () => {
		const broker = new ToyBroker();
		await using a = new ToyBrokerManager(broker);
		await using b = new ToyBrokerManager(broker);
		for (let round = 0; round < 20; round++) {
			const id = `s${round}`;
			const opening = open(a, id);
			for (const n of numbers(1, 6)) {
				if (Number(n) % 2 === round % 2) a.disconnect();
				await b.send([id], sse(n));
				a.reconnect();
			}
			const client = await opening;
			await b.send([id], sse('last'));
			assert.deepEqual(await client.hears('last'), [...numbers(1, 6), 'last']);
		}
	});

	it('gives a client that left in between what it missed when it comes back', async () => {
		const broker = new ToyBroker();
		await using a = new ToyBrokerManager(broker);
		await using b = new ToyBrokerManager(broker);
		for (const resumes of [true, false]) {
			const id = resumes ? 's' : 't';
			const client = await open(a, id, { prime: sse('prime') });
			a.disconnect();
			await b.send([id], sse(1));
			a.reconnect();
			client.leave();
			await until('the stream is free', async () => !(await b.has(id)));
			await b.send([id], sse(2));
			const back = await open(b, id, resumes ? after(client) : {});
			assert.deepEqual([...client.texts.slice(1), ...(await back.hears(2))], ['1', '2']);
		}
	});
});
