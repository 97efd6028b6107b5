import assert from 'node:assert/strict';
import {
	type BrokerMessage,
	EVERY_NODE,
	type HistorySlice,
	nodeAddress,
	type StreamPosition,
} from '@holdfast/session-manager/custom';
import { ManualClock } from '@holdfast/session-manager/testing';
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

/** An event that ends its request stream. */
const end = (text: string) => `data: ${text}\n:end\n\n`;

describe('a request stream that the node which writes to it holds', () => {
	it('brings its client all of it, whatever becomes of the way back and of the history', async () => {
		const broker = new ToyBroker();
		await using a = new ToyBrokerManager(broker, { history: { maxEvents: 2 } });
		const client = await open(a, 's request');
		await a.send(['s request'], sse(1));
		a.disconnect();
		for (const n of numbers(2, 9)) await a.send(['s request'], sse(n));
		await a.send(['s request'], end('last'));
		a.reconnect();
		await until('the client has the end', () => client.ended);
		assert.deepEqual(client.texts, [...numbers(1, 9), 'last']);
	});

	it('brings each event once, though it comes back from the broker too', async () => {
		const broker = new ToyBroker();
		await using a = new ToyBrokerManager(broker);
		const client = await open(a, 's request');
		for (const n of numbers(1, 9)) await a.send(['s request'], sse(n));
		await a.send(['s request'], end('last'));
		await until('the client has the end', () => client.ended);
		assert.deepEqual(client.texts, [...numbers(1, 9), 'last']);
	});

	it('takes nothing more after its end, from whichever node', async () => {
		const broker = new ToyBroker();
		await using a = new ToyBrokerManager(broker);
		await using b = new ToyBrokerManager(broker);
		await a.send(['s request'], sse(1));
		await a.send(['s request'], end('last'));
		await b.send(['s request'], end('another'));
		const client = await open(b, 's request');
		await until('the client has the end', () => client.ended);
		assert.deepEqual(client.texts, ['1', 'last']);
	});
});

/** A clock that can pass without that anything of its time happens, as it does for a process that is stopped. */
class StoppableClock extends ManualClock {
	#stopped = 0;

	stopFor(ms: number): void {
		this.#stopped += ms;
	}

	override monotonic(): number {
		return super.monotonic() + this.#stopped;
	}
}

/** Does not take in what the broker tells while its process is stopped. */
class StoppableManager extends ToyBrokerManager {
	readonly #backlog: (() => void)[] = [];
	#isStopped = false;

	stop(): void {
		this.#isStopped = true;
	}

	wake(): void {
		this.#isStopped = false;
		for (const take of this.#backlog.splice(0)) take();
	}

	protected override received(channel: string, message: BrokerMessage): void {
		if (this.#isStopped) this.#backlog.push(() => super.received(channel, message));
		else super.received(channel, message);
	}
}

describe('a node that was stopped for a while', () => {
	async function openStopped() {
		const broker = new ToyBroker();
		const clock = new StoppableClock();
		const a = new StoppableManager(broker, { clock });
		const b = new ToyBrokerManager(broker);
		const old = await open(a, 's', { prime: sse('prime') });
		await b.send(['s'], sse(1));
		await old.hears(1);
		a.stop();
		return { a, b, old, clock, [Symbol.asyncDispose]: async () => void (await Promise.all([a.close(), b.close()])) };
	}

	it('hands over nothing of a stream that another has taken', async () => {
		await using stopped = await openStopped();
		const { a, b, old, clock } = stopped;
		await b.send(['s'], sse(2));
		const client = await open(b, 's', after(old));
		await b.send(['s'], sse(3));
		await client.hears(3);
		clock.stopFor(5_000);
		a.wake();
		await until('the old client is gone', () => old.ended);
		assert.deepEqual(
			[old.texts, client.texts],
			[
				['prime', '1'],
				['2', '3'],
			],
		);
	});

	it('hands over what it missed of a stream that is still its own, once', async () => {
		await using stopped = await openStopped();
		const { a, b, old, clock } = stopped;
		await b.send(['s'], sse(2));
		clock.stopFor(5_000);
		a.wake();
		await b.send(['s'], sse(3));
		assert.deepEqual(await old.hears(3), ['prime', '1', '2', '3']);
	});
});

describe('a listener of an address', () => {
	async function listening() {
		const broker = new ToyBroker();
		const clock = new StoppableClock();
		const a = new StoppableManager(broker, { clock });
		const b = new ToyBrokerManager(broker);
		let gaps = 0;
		const client = await open(a, EVERY_NODE, { ongap: () => void gaps++ });
		const tell = async (text: string) => {
			await b.send([EVERY_NODE], sse(text));
			await client.hears(text);
			return gaps;
		};
		return { a, clock, tell, [Symbol.asyncDispose]: async () => void (await Promise.all([a.close(), b.close()])) };
	}

	it('hears of no gap where its node merely had no stream, or no listener, for a while', async () => {
		await using node = await listening();
		const { a, clock, tell } = node;
		for (const id of ['s', 's request', nodeAddress('a')]) {
			const client = await open(a, id);
			client.leave();
			for (const text of [`${id} 1`, `${id} 2`]) {
				clock.advance(10_000);
				assert.equal(await tell(text), 0);
			}
		}
	});

	it('hears of one gap, once, where its node was stopped for a while, with a stream or without', async () => {
		await using node = await listening();
		const { a, clock, tell } = node;
		clock.stopFor(5_000);
		assert.equal(await tell('after a stop'), 1);
		assert.equal(await tell('soon after'), 1);
		await open(a, 's');
		clock.stopFor(5_000);
		assert.equal(await tell('after a stop with a stream'), 2);
	});

	it('that is the first of its node after a while, or the only one left, hears of no gap', async () => {
		const broker = new ToyBroker();
		const clock = new ManualClock();
		await using a = new ToyBrokerManager(broker, { clock });
		let gaps = 0;
		for (const text of ['first', 'second']) {
			const client = await open(a, EVERY_NODE, { ongap: () => void gaps++ });
			clock.advance(10_000);
			await a.send([EVERY_NODE], sse(text));
			await client.hears(text);
			client.leave();
			clock.advance(10_000);
			const next = await open(a, 's');
			await a.send(['s'], sse(text));
			await next.hears(text);
			next.leave();
			await until('the stream is free', async () => !(await a.has('s')));
			clock.advance(10_000);
		}
		assert.equal(gaps, 0);
	});
});
