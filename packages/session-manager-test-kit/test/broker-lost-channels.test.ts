import assert from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import {
	BROADCAST_CHANNEL,
	type BrokerAttached,
	type BrokerMessage,
	type BrokerStart,
	type Clock,
	END_OF_STREAM,
	type HistoryLimits,
	type HistorySlice,
	type StreamPosition,
	systemClock,
} from '@holdfast/session-manager/custom';
import { after, numbers, open, type StreamClient, sse, until } from '@holdfast/session-manager-test-kit/own-cases';
import { describeContract } from '@holdfast/session-manager-test-kit/vitest';
import { describe, it } from 'vitest';
import { type SeededRandom, seededRandom } from '../src/seeded-random.ts';
import { brokered } from './broker-factory.ts';
import { ToyBroker } from './toy-broker.ts';
import { ToyBrokerManager } from './toy-broker-manager.ts';

/** A manager that hears its channels on connections of their own, and says which it lost. */
class LosingManager extends ToyBrokerManager {
	/** The streams whose holder was asked for again. */
	readonly restoredIds: string[] = [];
	/** How late the store gets a request, or the node its reply, in turns of the event loop. */
	delays: SeededRandom | undefined;
	/** Whether what was missed cannot be read. */
	refuses = false;
	/** What happens while the store is asked for a stream that is being opened. */
	whileOpening: (() => void) | undefined;
	readonly #lost = new Set<string>();

	needs(channel: string): boolean {
		return this.subscribedChannels.includes(channel);
	}

	/** What is published on `channels` is missed until {@link regain}. */
	lose(...channels: string[]): void {
		for (const channel of channels) this.#lost.add(channel);
		this.interrupted(channels);
	}

	/** What is published on `channels` is heard, although it is not known that nothing is missed. */
	hear(...channels: string[]): void {
		for (const channel of channels) this.#lost.delete(channel);
	}

	regain(...channels: string[]): void {
		this.hear(...channels);
		this.restored(channels);
	}

	override disconnect(): void {
		this.lose(...this.subscribedChannels);
	}

	override reconnect(): void {
		this.regain(...this.#lost);
	}

	protected override received(channel: string, message: BrokerMessage): void {
		if (!this.#lost.has(channel)) super.received(channel, message);
	}

	protected override unsubscribe(channel: string): void {
		this.#lost.delete(channel);
		super.unsubscribe(channel);
	}

	protected override async attach(
		id: string,
		token: string,
		wanted: BrokerStart,
		keep: boolean,
		since?: StreamPosition,
	): Promise<BrokerAttached> {
		await this.#delay();
		if (keep && this.refuses) throw new Error('Nothing can be read now.');
		if (keep) this.restoredIds.push(id);
		const attached = await super.attach(id, token, wanted, keep, since);
		if (!keep) this.whileOpening?.();
		await this.#delay();
		return attached;
	}

	protected override async readBroadcasts(position: StreamPosition): Promise<HistorySlice> {
		await this.#delay();
		const slice = await super.readBroadcasts(position);
		await this.#delay();
		return slice;
	}

	async #delay(): Promise<void> {
		for (let turns = this.delays?.of([0, 1, 2, 4]) ?? 0; turns > 0; turns--) await setImmediate();
	}
}

/** The machine's clock, which has gone on for a while whenever it is told so: this process did not run then. */
class LeapingClock implements Clock {
	#leaptMs = 0;

	leap(ms: number): void {
		this.#leaptMs += ms;
	}

	now(): number {
		return systemClock.now();
	}

	monotonic(): number {
		return systemClock.monotonic() + this.#leaptMs;
	}

	after(delayMs: number, task: () => void): () => void {
		return systemClock.after(delayMs, task);
	}
}

describe('a manager that names the channels that it lost', () => {
	describeContract(brokered({ make: (broker, limits) => new LosingManager(broker, limits) }));
});

describe('while a channel is lost', () => {
	async function twoNodes(history?: Partial<HistoryLimits>) {
		const broker = new ToyBroker();
		const a = new LosingManager(broker, { ...(history && { history }) });
		const b = new ToyBrokerManager(broker, { ...(history && { history }) });
		const gaps: string[] = [];
		const openAt = (id: string) => open(a, id, { ongap: () => void gaps.push(id) });
		return {
			a,
			b,
			broker,
			gaps,
			openAt,
			[Symbol.asyncDispose]: async () => void (await Promise.all([a.close(), b.close()])),
		};
	}

	it('every other stream goes on, and its own is filled afterwards', async () => {
		await using nodes = await twoNodes();
		const { a, b, gaps, openAt } = nodes;
		const ids = ['lost', 'lost 1', 'other', 'other 1'];
		const clients = await Promise.all(ids.map(openAt));
		a.lose('lost', 'lost 1');
		await b.send(ids, sse('meanwhile'));
		for (const client of clients.slice(2)) await client.hears('meanwhile');
		for (const client of clients.slice(0, 2)) assert.deepEqual(client.texts, []);
		a.regain('lost 1', 'other', 'other 1');
		await clients[1]?.hears('meanwhile');
		a.regain('lost');
		for (const client of clients) assert.deepEqual(await client.hears('meanwhile'), ['meanwhile']);
		await b.send(ids, sse('afterwards'));
		for (const client of clients) assert.deepEqual(await client.hears('afterwards'), ['meanwhile', 'afterwards']);
		assert.deepEqual(a.restoredIds, ['lost 1', 'lost']);
		assert.deepEqual(gaps, []);
	});

	it('its session still gets broadcasts, also those that were under way', async () => {
		await using nodes = await twoNodes();
		const { a, b, openAt } = nodes;
		const client = await openAt('lost');
		await b.send(undefined, sse('first to all'));
		a.lose('lost');
		await b.send(['lost'], sse('own'));
		await b.send(undefined, sse('second to all'));
		assert.deepEqual(await client.hears('second to all'), ['first to all', 'second to all']);
		a.regain('lost');
		assert.deepEqual(await client.hears('own'), ['first to all', 'second to all', 'own']);
	});

	it('and that is the one of broadcasts, streams still get what is their own, and are taken over at once', async () => {
		await using nodes = await twoNodes();
		const { a, b, openAt } = nodes;
		const [client, old] = [await openAt('s'), await openAt('t')];
		a.lose(BROADCAST_CHANNEL);
		await b.send(undefined, sse('to all'));
		await b.send(['s'], sse('own'));
		assert.deepEqual(await client.hears('own'), ['own']);
		const taker = await open(b, 't', after(old));
		await old.end();
		a.regain(BROADCAST_CHANNEL);
		assert.deepEqual(await client.hears('to all'), ['own', 'to all']);
		assert.deepEqual(old.texts, []);
		assert.equal(taker.ended, false);
	});

	it('a stream of both lost channels gets of each what it missed as soon as that one is back', async () => {
		await using nodes = await twoNodes();
		const { a, b, openAt } = nodes;
		for (const [first, second] of [
			['s', BROADCAST_CHANNEL],
			[BROADCAST_CHANNEL, 't'],
		] as const) {
			const id = first === BROADCAST_CHANNEL ? second : first;
			const client = await openAt(id);
			a.lose(first, second);
			await b.send([id], sse(id));
			await b.send(undefined, sse(BROADCAST_CHANNEL));
			a.regain(first);
			assert.deepEqual(await client.hears(first), [first]);
			a.regain(second);
			assert.deepEqual(await client.hears(second), [first, second]);
		}
	});

	it('its stream stays open, however much there is for all', async () => {
		await using nodes = await twoNodes({ maxEvents: 5 });
		const { a, b, openAt } = nodes;
		const [lost, deaf] = [await openAt('lost'), await openAt('deaf')];
		a.lose('lost', 'deaf', BROADCAST_CHANNEL);
		a.regain(BROADCAST_CHANNEL);
		await b.send(undefined, sse('to all'));
		await lost.hears('to all');
		for (const n of numbers(1, 10_100)) void b.send(undefined, sse(n));
		await lost.hears(10_100);
		a.lose(BROADCAST_CHANNEL);
		for (const n of numbers(1, 10_100)) void b.send(['deaf'], sse(n));
		a.regain('lost', 'deaf', BROADCAST_CHANNEL);
		await deaf.hears(10_100);
		assert.deepEqual([lost.ended, deaf.ended], [false, false]);
	});

	it('nobody who opens its stream later, when it is subscribed anew, waits for it', async () => {
		await using nodes = await twoNodes();
		const { a, b, openAt } = nodes;
		const old = await openAt('s');
		a.lose('s');
		old.leave();
		await until('the stream is free', async () => !(await b.has('s')));
		const client = await openAt('s');
		await b.send(['s'], sse('own'));
		assert.deepEqual(await client.hears('own'), ['own']);
	});

	it('who opens its stream gets what is there, and the rest once it is back', async () => {
		await using nodes = await twoNodes();
		const { a, b, openAt } = nodes;
		const old = await openAt('s');
		a.lose('s');
		await b.send(['s'], sse(1));
		const client = await openAt('s');
		await b.send(['s'], sse(2));
		await b.send(undefined, sse('to all'));
		assert.deepEqual(await client.hears('to all'), ['1', 'to all']);
		a.regain('s');
		assert.deepEqual(await client.hears(2), ['1', 'to all', '2']);
		assert.deepEqual(old.texts, []);
	});

	it('the end of a request stream is not lost that is heard before it is known that its channel is back', async () => {
		await using nodes = await twoNodes();
		const { a, b, broker, openAt } = nodes;
		a.whileOpening = () => a.lose('s 1');
		const client = await openAt('s 1');
		a.hear('s 1');
		await b.send(['s 1'], `data: answer\n${END_OF_STREAM}\n\n`);
		// The store keeps nothing of a stream that is over.
		broker.sessions.get('s')?.streams.delete('1');
		a.regain('s 1');
		assert.deepEqual(await client.hears('answer'), ['answer']);
		await client.end();
	});

	it('a listener hears of a gap only where the lost channel is that of its address', async () => {
		await using nodes = await twoNodes();
		const { a, gaps, openAt } = nodes;
		for (const address of [' one', ' other']) await openAt(address);
		await openAt('s');
		a.lose(' one', 's');
		a.regain(' one', 's');
		assert.deepEqual(gaps, [' one']);
	});
});

it('nothing is lost, doubled or out of order, whatever is lost and comes back, in whatever parts', async () => {
	for (let seed = 1; seed <= 80; seed++) {
		const random = seededRandom(seed);
		const broker = new ToyBroker();
		const clock = new LeapingClock();
		await using a = new LosingManager(broker, { clock });
		await using b = new ToyBrokerManager(broker);
		a.delays = random;
		const ids = ['s', 's 1', 't', 't 1', 'u'];
		const channels = [...ids, BROADCAST_CHANNEL];
		const gaps: string[] = [];
		const clients = new Map<string, StreamClient>();
		const since = await b.position();
		const options = (id: string) => ({ since, ongap: () => void gaps.push(id) });
		const opening = ids.map(async (id) => clients.set(id, await open(a, id, options(id))));
		if (random.of([true, false])) await Promise.all(opening);
		const sent = new Map<string, string[]>();
		const send = async (channel: string) => {
			const text = `${channel.trim() || 'all'}:${(sent.get(channel)?.length ?? 0) + 1}`;
			sent.set(channel, [...(sent.get(channel) ?? []), text]);
			await b.send(channel === BROADCAST_CHANNEL ? undefined : [channel], sse(text));
		};
		for (let step = 0; step < 60; step++) {
			const some = channels.filter(() => random.of([true, false]));
			const act = random.of(['send', 'send', 'lose', 'hear', 'regain', 'wait', 'wait', 'refuse', 'serve', 'stall']);
			if (act === 'send') for (const channel of some) await send(channel);
			else if (act === 'lose') a.lose(...some.filter((channel) => a.needs(channel)));
			else if (act === 'hear') a.hear(...some);
			else if (act === 'regain') a.regain(...some);
			else if (act === 'refuse') a.refuses = true;
			else if (act === 'serve') a.refuses = false;
			else if (act === 'stall') clock.leap(5_000);
			else if (act === 'wait') await setImmediate();
		}
		a.refuses = false;
		a.regain(...channels);
		await Promise.all(opening);
		for (const channel of channels) await send(channel);
		for (const [id, client] of clients) {
			const heard = id.includes(' ') ? [id] : [id, BROADCAST_CHANNEL];
			for (const channel of heard) {
				const texts = sent.get(channel) ?? [];
				await client.hears(texts.at(-1) ?? '');
				const mark = `${channel.trim() || 'all'}:`;
				assert.deepEqual(
					client.texts.filter((text) => text.startsWith(mark)),
					texts,
					`seed ${seed}, ${id}`,
				);
			}
			assert.equal(client.ended, false);
		}
		assert.deepEqual(gaps, []);
	}
});
