import assert from 'node:assert/strict';
import { after, numbers, open, sse, until } from '@holdfast/session-manager-test-kit/own-cases';
import { describeContract } from '@holdfast/session-manager-test-kit/vitest';
import { describe, it } from 'vitest';
import { relay } from './relay-factory.ts';
import { ToyBroker } from './toy-broker.ts';
import { ToyRelayManager } from './toy-relay-manager.ts';

describe('a manager of the relay’s hooks alone', () => {
	describeContract(relay());
});

describe('after the broker was away', () => {
	it('fills what was missed, once and in order, before what is new', async () => {
		const broker = new ToyBroker();
		await using a = new ToyRelayManager(broker);
		await using b = new ToyRelayManager(broker);
		const client = await open(a, 's');
		for (let round = 0; round < 5; round++) {
			a.disconnect();
			for (const n of [1, 2]) await b.send(n === 1 ? ['s'] : undefined, sse(`${round}.${n}`));
			a.reconnect();
			await b.send(['s'], sse(`${round}.3`));
		}
		const wanted = numbers(0, 4).flatMap((round) => numbers(1, 3).map((n) => `${round}.${n}`));
		assert.deepEqual(await client.hears('4.3'), wanted);
	});

	it('misses nothing of a stream that was being opened, however often the broker went', async () => {
		const broker = new ToyBroker();
		await using a = new ToyRelayManager(broker);
		await using b = new ToyRelayManager(broker);
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

	it('ends the streams that another took or ended meanwhile, and hands over nothing of theirs', async () => {
		const broker = new ToyBroker();
		await using a = new ToyRelayManager(broker);
		await using b = new ToyRelayManager(broker);
		const [taken, deleted, kept] = [await open(a, 's'), await open(a, 't'), await open(a, 'u')];
		a.disconnect();
		const newest = await open(b, 's');
		await b.delete('t');
		await b.send(['s', 't', 'u'], sse(1));
		assert.deepEqual(
			[taken, deleted, kept].map(({ ended }) => ended),
			[false, false, false],
		);
		a.reconnect();
		assert.deepEqual([await taken.end(), await deleted.end()], [[], []]);
		assert.deepEqual([await kept.hears(1), await newest.hears(1)], [['1'], ['1']]);
	});

	it('tells a gap where the history was lost or outgrown, and goes on', async () => {
		const broker = new ToyBroker();
		await using a = new ToyRelayManager(broker, { history: { maxEvents: 3 } });
		await using b = new ToyRelayManager(broker, { history: { maxEvents: 3 } });
		const gaps: string[] = [];
		const client = await open(a, 's', { ongap: () => void gaps.push('s') });
		const listener = await open(a, ' n', { ongap: () => void gaps.push(' n') });
		a.disconnect();
		for (const n of numbers(1, 5)) await b.send(['s'], sse(n));
		a.reconnect();
		assert.deepEqual(await client.hears(5), ['3', '4', '5']);
		assert.deepEqual(gaps.sort(), [' n', 's']);
		await b.send([' n'], sse(6));
		await listener.hears(6);
	});

	it('gives a client that left in between what it missed when it comes back', async () => {
		const broker = new ToyBroker();
		await using a = new ToyRelayManager(broker);
		await using b = new ToyRelayManager(broker);
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
