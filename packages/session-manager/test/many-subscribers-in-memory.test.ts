import { InMemoryStreamSessionManager } from '@holdfast/session-manager';
import { requestStreamId } from '@holdfast/session-manager/custom';
import { expect, it } from 'vitest';
import { sse } from './stream-client.ts';

const MANY = 5_000;
const everyone = Array.from({ length: MANY }, (_, n) => `s${n}`);

/** What each client was written, and how much was written in all. */
class Clients {
	readonly streams = new InMemoryStreamSessionManager();
	readonly #texts = new Map<string, string[]>();
	writes = 0;

	/** Opens stream `id`. */
	open(id: string): void {
		const texts = this.of(id);
		this.#texts.set(id, texts);
		const enqueue = (chunk: Uint8Array) => {
			this.writes++;
			texts.push(/^data: (.*)$/m.exec(new TextDecoder().decode(chunk))?.[1] ?? '');
		};
		void this.streams.create(id, { enqueue, close() {}, desiredSize: 1 });
	}

	of(id: string): string[] {
		return this.#texts.get(id) ?? [];
	}

	/** The most that was written in one turn until `work` was done. */
	async mostUntil(work: PromiseLike<unknown> | void): Promise<number> {
		let isDone = false;
		const end = () => {
			isDone = true;
		};
		const settled = Promise.resolve(work).then(end, end);
		let most = this.writes;
		while (!isDone) {
			const before = this.writes;
			await nextTurn();
			most = Math.max(most, this.writes - before);
		}
		await settled;
		return most;
	}
}

function openAll(): Clients {
	const clients = new Clients();
	for (const id of everyone) clients.open(id);
	return clients;
}

function nextTurn(): Promise<void> {
	return new Promise((resolve) => setImmediate(resolve));
}

it.each([
	['named', everyone],
	['all', undefined],
])('writes to a part of many streams in each turn (%s)', async (_, ids) => {
	const clients = openAll();
	const most = await clients.mostUntil(clients.streams.send(ids, sse('news')));
	expect(most).toBeLessThanOrEqual(1_024);
	for (const id of everyone) expect(clients.of(id)).toEqual(['news']);
});

it('writes to each stream in the order of the calls, and to none after it was deleted', async () => {
	const clients = openAll();
	const { streams } = clients;
	await Promise.all([
		streams.send(everyone, sse('first')),
		streams.send(['s4999'], sse('second')),
		streams.send(undefined, sse('to all')),
		streams.send(['s4999', 's0'], sse('third')),
		streams.send([...everyone, 's4999'], sse('fourth')),
		streams.delete('s4998'),
		streams.send(['s4999'], sse('fifth')),
	]);
	expect(clients.of('s4999')).toEqual(['first', 'second', 'to all', 'third', 'fourth', 'fifth']);
	expect(clients.of('s0')).toEqual(['first', 'to all', 'third', 'fourth']);
	expect(streams.stats().sessions).toBe(MANY - 1);
});

it('lets responses pass while many are being told', async () => {
	const clients = openAll();
	const { streams } = clients;
	const response = requestStreamId('s4999', '1');
	clients.open(response);
	const sent = streams.send(everyone, sse('news'));
	expect(streams.send([response], sse('response'))).toBeUndefined();
	expect(clients.of(response)).toEqual(['response']);
	expect(clients.of('s4999')).toEqual([]);
	await sent;
	expect(clients.of('s4999')).toEqual(['news']);
});

it.each([
	['named', [...everyone, 'away']],
	['all', undefined],
])('tells a client that comes in the meantime once (%s)', async (_, ids) => {
	const clients = openAll();
	const { streams } = clients;
	// Its client was here before and is not now.
	const { detach } = await streams.create('away', { enqueue() {}, close() {}, desiredSize: 1 });
	detach();
	const sent = streams.send(ids, sse('news'));
	await nextTurn();
	clients.open('away');
	clients.open('s4999');
	await streams.send(['away'], sse('later'));
	await sent;
	expect(clients.of('away')).toEqual(['news', 'later']);
	expect(clients.of('s4999')).toEqual(['news']);
});

it('rejects where it is closed before all were told', async () => {
	const { streams } = openAll();
	const sent = Promise.resolve(streams.send(everyone, sse('news')));
	const refused = expect(sent).rejects.toMatchObject({ code: 'closed' });
	streams.close();
	await refused;
	expect(streams.stats().sessions).toBe(0);
});

it('lets callers wait that send more than all streams are given', async () => {
	const clients = new Clients();
	const some = everyone.slice(0, 1_500);
	for (const id of some) clients.open(id);
	const texts = Array.from({ length: 120 }, (_, n) => `${n}`);
	let isDone = false;
	const sent = Promise.all(texts.map((text) => clients.streams.send(undefined, sse(text)))).then(() => {
		isDone = true;
	});
	let turns = 0;
	for (; !isDone; turns++) await nextTurn();
	await sent;
	// Two for each of the last 64; those before are not spread over turns.
	expect(turns).toBeLessThan(150);
	for (const id of ['s0', 's1499']) expect(clients.of(id)).toEqual(texts);
});
