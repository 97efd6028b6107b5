import assert from 'node:assert/strict';
import type { HistorySlice, StreamPosition } from '@holdfast/session-manager/custom';
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

	it('reads the broadcasts that many streams missed once, from the oldest that one of them needs', async () => {
		let reads = 0;
		class Counting extends ToyBrokerManager {
			protected override readBroadcasts(after: StreamPosition): Promise<HistorySlice> {
				reads++;
				return super.readBroadcasts(after);
			}
		}
		const broker = new ToyBroker();
		await using a = new Counting(broker);
		await using b = new ToyBrokerManager(broker);
		const early = await Promise.all(numbers(1, 30).map((n) => open(a, `early-${n}`)));
		await b.send(undefined, sse('seen'));
		const late = await Promise.all(numbers(1, 30).map((n) => open(a, `late-${n}`)));
		for (const client of early) await client.hears('seen');
		for (let round = 0; round < 3; round++) {
			a.disconnect();
			for (const n of numbers(1, 20)) await b.send(undefined, sse(`${round} ${n}`));
			await b.send(['late-7'], sse(`own ${round}`));
			a.reconnect();
			for (const client of [...early, ...late]) await client.hears(`${round} 20`);
		}
		const missed = numbers(0, 2).flatMap((round) => numbers(1, 20).map((n) => `${round} ${n}`));
		for (const client of early) assert.deepEqual(client.texts, ['seen', ...missed]);
		for (const [index, client] of late.entries()) {
			assert.deepEqual(
				client.texts.filter((text) => !text.startsWith('own')),
				missed,
			);
			assert.equal(client.texts.filter((text) => text.startsWith('own')).length, index === 6 ? 3 : 0);
		}
		assert.equal(reads, 3);
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
