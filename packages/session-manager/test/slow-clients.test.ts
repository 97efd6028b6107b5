import { InMemoryStreamSessionManager } from '@holdfast/session-manager';
import { BoundedWriter, EVERY_NODE, type StreamController } from '@holdfast/session-manager/custom';
import { describe, expect, it } from 'vitest';
import { heapInUse } from '../../../test/support/heap-in-use.ts';
import { attach, StreamClient, sse, strategies } from './stream-client.ts';

const maxBufferedBytes = 10_000;
/** An event of about 100 bytes. */
const event = (n: number) => sse(`${n}`.padStart(70, '.'));
const numberOf = (data: string) => Number(data.replaceAll('.', ''));

describe.each(strategies)('clients that do not read, with controllers that count %s', (_, strategy) => {
	const connect = () => new StreamClient(strategy());

	it.each(['s', 's 1'])('are cut at the bound, no earlier and not much later, on stream %j', async (id) => {
		const streams = new InMemoryStreamSessionManager({ maxBufferedBytes });
		const client = connect();
		attach(streams, id, client.controller);
		let sent = 0;
		while (streams.has(id) && sent < 1000) streams.send([id], event(++sent));
		expect(sent).toBeGreaterThan(90);
		expect(sent).toBeLessThan(125);
		expect(streams.stats().streams).toBe(0);
		await client.readAll();
		expect(client.ended).toBe('cut');
	});

	it.each([
		['a targeted message', ['s']],
		['a broadcast', undefined],
	] as const)('lose nothing when they resume after %s that was too much', async (_what, ids) => {
		const streams = new InMemoryStreamSessionManager({ maxBufferedBytes });
		const first = connect();
		attach(streams, 's', first.controller, { prime: sse('prime') });
		await first.read();
		const received: number[] = [];
		let sent = 0;
		for (let n = 1; n <= 30; n++) {
			streams.send(ids, event(++sent));
			received.push(numberOf((await first.read())?.data ?? ''));
		}
		while (streams.has('s') && sent < 1000) streams.send(ids, event(++sent));
		for (let n = 1; n <= 30; n++) streams.send(ids, event(++sent));
		await first.readAll();
		expect(first.ended).toBe('cut');

		const back = connect();
		const { continuation } = attach(streams, 's', back.controller, { lastEventId: first.lastEventId ?? '' });
		expect(continuation).toBe('resumed');
		received.push(...(await back.texts()).map(numberOf));
		expect(received).toEqual(Array.from({ length: sent }, (__, index) => index + 1));
	});

	it('disturb no one else', async () => {
		const streams = new InMemoryStreamSessionManager({ maxBufferedBytes });
		const [slow, quick] = [connect(), connect()];
		attach(streams, 'slow', slow.controller);
		attach(streams, 'quick', quick.controller);
		for (let n = 1; n <= 500; n++) {
			streams.send(undefined, event(n));
			expect(numberOf((await quick.read())?.data ?? '')).toBe(n);
		}
		expect(streams.has('slow')).toBe(false);
		expect(streams.has('quick')).toBe(true);
	});

	it('listen on no address any more', () => {
		const streams = new InMemoryStreamSessionManager({ maxBufferedBytes });
		attach(streams, EVERY_NODE, connect().controller);
		for (let n = 1; n <= 500; n++) streams.send([EVERY_NODE], event(n));
		expect(streams.has(EVERY_NODE)).toBe(false);
	});

	it('are cut on a stream without history too, and find there what came after the cut', async () => {
		const streams = new InMemoryStreamSessionManager({ maxBufferedBytes });
		attach(streams, 's', connect().controller, { history: false });
		let sent = 0;
		while (streams.has('s') && sent < 1000) streams.send(['s'], event(++sent));
		const back = connect();
		attach(streams, 's', back.controller, { history: false });
		expect((await back.texts()).map(numberOf)).toEqual([sent]);
	});
});

describe.each(strategies)('clients that keep up, with controllers that count %s', (_, strategy) => {
	it.each([1, 10, 50])('are never cut, even if they always lag %i events behind', async (lag) => {
		const streams = new InMemoryStreamSessionManager({ maxBufferedBytes });
		const client = new StreamClient(strategy());
		attach(streams, 's', client.controller);
		for (let n = 1; n <= 2000; n++) {
			streams.send(['s'], event(n));
			if (n > lag) expect(numberOf((await client.read())?.data ?? '')).toBe(n - lag);
		}
		expect(streams.has('s')).toBe(true);
	});

	it('are cut once they stop, however much they read before', async () => {
		const streams = new InMemoryStreamSessionManager({ maxBufferedBytes });
		const client = new StreamClient(strategy());
		attach(streams, 's', client.controller);
		for (let n = 1; n <= 500; n++) {
			streams.send(['s'], event(n));
			if (n > 20) await client.read();
		}
		let more = 0;
		while (streams.has('s') && more < 1000) streams.send(['s'], event(++more));
		expect(more).toBeGreaterThan(60);
		expect(more).toBeLessThan(105);
	});

	it('get a message greater than the bound', async () => {
		const streams = new InMemoryStreamSessionManager({ maxBufferedBytes });
		const client = new StreamClient(strategy());
		attach(streams, 's', client.controller);
		const big = 'x'.repeat(5 * maxBufferedBytes);
		for (let n = 1; n <= 3; n++) {
			streams.send(['s'], sse(big));
			expect((await client.read())?.data).toBe(big);
		}
	});

	it('are not cut for a long replay that they are still reading', async () => {
		const streams = new InMemoryStreamSessionManager({ maxBufferedBytes });
		for (let n = 1; n <= 500; n++) streams.send(['s'], event(n));
		const client = new StreamClient(strategy());
		attach(streams, 's', client.controller);
		const received: number[] = [];
		for (let n = 501; n <= 550; n++) {
			received.push(numberOf((await client.read())?.data ?? ''));
			streams.send(['s'], event(n));
		}
		expect(streams.has('s')).toBe(true);
		received.push(...(await client.texts()).map(numberOf));
		expect(received).toEqual(Array.from({ length: 550 }, (__, index) => index + 1));
	});
});

describe('BoundedWriter', () => {
	/** A controller that says of its room what it is told to. */
	function controller(desiredSize: () => number | null): StreamController & { received: number } {
		return {
			received: 0,
			enqueue({ byteLength }) {
				this.received += byteLength;
			},
			close() {},
			get desiredSize() {
				return desiredSize();
			},
		};
	}

	it('counts every byte until there is room, where a controller only tells full from not full', () => {
		let room = 0;
		const writer = new BoundedWriter(
			controller(() => room),
			1000,
		);
		const chunk = new Uint8Array(100);
		for (let round = 0; round < 5; round++) {
			for (let n = 0; n < 10; n++) expect(writer.write(chunk)).toBe(true);
			room = 1;
			expect(writer.write(chunk)).toBe(true);
			room = 0;
		}
		for (let n = 0; n < 10; n++) expect(writer.write(chunk)).toBe(true);
		expect(writer.write(chunk)).toBe(false);
		expect(writer.open).toBe(false);
	});

	it('hands nothing to a client that is gone', () => {
		const target = controller(() => null);
		const writer = new BoundedWriter(target, 1000);
		expect(writer.write(new Uint8Array(1))).toBe(false);
		expect(writer.replay(new Uint8Array(1))).toBe(false);
		expect(target.received).toBe(0);
	});

	it('closes where it cannot cut, and reports why where it can', () => {
		let closed = 0;
		const writer = new BoundedWriter({ ...controller(() => 0), desiredSize: 0, close: () => closed++ }, 10);
		writer.write(new Uint8Array(10));
		writer.write(new Uint8Array(1));
		writer.end();
		expect(closed).toBe(1);

		const reasons: unknown[] = [];
		const target = { ...controller(() => 0), desiredSize: 0, error: (reason: unknown) => reasons.push(reason) };
		const cut = new BoundedWriter(target, 10);
		cut.write(new Uint8Array(10));
		cut.write(new Uint8Array(1));
		cut.abort(new Error('again'));
		expect(reasons).toEqual([expect.objectContaining({ name: 'SessionManagerError', code: 'slow-client' })]);
	});
});

it('holds the memory of a session to its bounds, however large the events are', async () => {
	const streams = new InMemoryStreamSessionManager();
	const client = new StreamClient();
	attach(streams, 's', client.controller);
	const before = await heapInUse();
	for (let n = 0; n < 60; n++) {
		streams.send(['s'], sse(Buffer.alloc(500_000, `${n} `).toString('latin1')));
		await client.read();
	}
	expect((await heapInUse()) - before).toBeLessThan(5_000_000);
	expect(streams.stats().events).toBeLessThan(3);
});
